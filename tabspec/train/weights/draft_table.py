"""Counts frequent token sequences for a model's table of draft tokens.

The table makes decoding faster, and does not change its output (`tabspec.models.files.ngram_table`). A model works
without it, too.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from tabspec.models.files.ngram_table import ORDERS, NgramTable, all_hashed
from tabspec.train.corpus.store import Corpus

Ids = npt.NDArray[np.uint32]

# A draft token with a lower probability does not repay its marginal cost. A context seen less often gives no reliable
# probability.
_LEAST_CHANCE, _LEAST_SEEN = 0.25, 4
# The number of texts that are tokenized at a time.
_BATCH = 256


def draft_table(
    corpus: Corpus,
    tokenizer: Tokenizer,
    entries: int,
    most_bytes: int,
    progress: Callable[[int], None] = lambda done: None,
) -> NgramTable:
    """The table of at most ``entries`` contexts, counted on about ``most_bytes`` of the corpus or less.

    A larger corpus is sampled: every second document, every third, and so on. Needs about 70 bytes of memory for each
    token (8 GB for 450 MB of code). ``progress`` gets the number of characters done.
    """
    tokens, ends = array("I"), list[int]()
    done = 0
    for texts in batches(corpus, most_bytes):
        for encoded in tokenizer.encode_batch_fast(texts, add_special_tokens=False):
            tokens.extend(encoded.ids)
            ends.append(len(tokens))
        done += sum(map(len, texts))
        progress(done)
    return count(np.frombuffer(tokens, np.uint32), ends, entries)


def count(tokens: Ids, ends: list[int], entries: int) -> NgramTable:
    """The table for documents that are concatenated in ``tokens`` (n,) and end at ``ends``.

    It keeps the entries that save most. The saving of an entry is the count of its context, times the difference of the
    draft token's probability and `_LEAST_CHANCE`.
    """
    starts = np.zeros(len(tokens), np.int64)
    starts[[end for end in ends if end < len(tokens)]] = 1
    begins = np.maximum.accumulate(np.where(starts, np.arange(len(tokens)), 0))  # the start of each token's document
    found = [_of_order(tokens, begins, order) for order in ORDERS]
    contexts, then, seen, right = (np.concatenate(column) for column in zip(*found, strict=True))
    worth = right - _LEAST_CHANCE * seen
    good = np.argsort(-worth, kind="stable")[:entries]
    good = good[worth[good] > 0]
    kept = good[
        np.argsort(contexts[good], kind="stable")
    ]  # by context; of equal hashes, the one that saves more is first
    kept = kept[np.r_[True, np.diff(contexts[kept].astype(np.int64)) > 0]] if len(kept) else kept
    percent = (100 * right[kept] / seen[kept]).astype(np.uint8)
    return NgramTable(
        array("I", contexts[kept].tobytes()), array("I", then[kept].tobytes()), array("B", percent.tobytes())
    )


def _of_order(tokens: Ids, begins: npt.NDArray[np.int64], order: int) -> tuple[Ids, Ids, Ids, Ids]:
    """For each context of ``order`` tokens that was seen at least `_LEAST_SEEN` times: its hash, the most frequent next
    token, the count of the context, and the count of that token after it."""
    next_at = np.arange(order, len(tokens))
    whole = begins[order:] <= next_at - order  # context and next token are in one document
    keys = (all_hashed(tokens, order)[:-1][whole].astype(np.uint64) << np.uint64(32)) | tokens[order:][whole]
    keys.sort()
    first = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, np.int64)
    times = np.diff(np.r_[first, len(keys)])
    pairs = keys[first]
    contexts = (pairs >> np.uint64(32)).astype(np.uint32)
    begin = np.flatnonzero(np.r_[True, contexts[1:] != contexts[:-1]]) if len(contexts) else first
    seen = np.add.reduceat(times, begin) if len(begin) else times
    # The most frequent next token of each context; of equally frequent ones, the lowest id.
    group = np.repeat(np.arange(len(begin)), np.diff(np.r_[begin, len(pairs)]))
    best = np.lexsort((-times, group))[begin]
    often = seen >= _LEAST_SEEN
    best = best[often]
    then = (pairs[best] & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    return contexts[best], then, seen[often].astype(np.uint32), times[best].astype(np.uint32)


def batches(corpus: Corpus, most_bytes: int) -> Iterator[list[str]]:
    """The texts to count, in batches: every document, or if the corpus is larger than ``most_bytes``, every n-th."""
    chosen = range(0, len(corpus), math.ceil(corpus.size / most_bytes))
    for at in range(0, len(chosen), _BATCH):
        yield [corpus.text(index) for index in chosen[at : at + _BATCH]]


def save_table(table: NgramTable, file: Path) -> None:
    """Write ``table`` as ``file``: under another name first, so that the file is always whole."""
    tokens = np.array(table.tokens, np.uint32)
    short = np.uint16 if not len(tokens) or tokens.max() < 1 << 16 else np.uint32
    aside = file.with_name(file.name + ".partial")
    try:
        with aside.open("wb") as to:
            np.savez_compressed(
                to,
                contexts=np.array(table.contexts, np.uint32),
                tokens=tokens.astype(short),
                percent=np.array(table.percent, np.uint8),
            )
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)
