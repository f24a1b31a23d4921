"""The tokenizer: byte-level BPE that keeps a line end and the indentation after it together.

The prompt of a request is cut before the white space with the last line end (docs/design/decoding.md). This cut must
not change the tokens before it. So white space with a line end is a separate piece, and no token crosses its start.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from tabspec.errors import InputError

# With 8,192 entries, a token has 3.6 bytes on Python; with 16,384, it has 3.9. In a model of this size, the larger
# embedding takes more time than the longer tokens save (docs/decisions/2026-11-23-bundled-model.md).
VOCABULARY = 8_192

PAD, EOM, FILE, PREFIX, SUFFIX, MIDDLE, RELATED = (
    "<|pad|>",
    "<|eom|>",
    "<|file|>",
    "<|pre|>",
    "<|suf|>",
    "<|mid|>",
    "<|rel|>",
)
# They are tokens 0, 1, 2, ... in this order. Reserved ones allow a later format with the same vocabulary.
SPECIAL = (PAD, EOM, FILE, PREFIX, SUFFIX, MIDDLE, RELATED, *(f"<|reserved{n}|>" for n in range(9)))

# The pieces, tried in this order:
PIECES = "|".join(
    (
        r"\s*[\r\n]+[ \t]*",  # white space with line ends, and the indentation of the next line
        r"[^\s\p{L}\p{N}]?\p{L}+",  # a word with one punctuation mark before it: ".append", "(self", "_name"
        r" \p{L}+",  # a word and the space before it
        r"\p{N}",  # single digits, so that numbers are tokenized alike everywhere
        r" ?[^\s\p{L}\p{N}]+",  # punctuation and operators
        r"\s+(?!\S)",  # spaces, except the one that belongs to the next word
        r"\s+",
    )
)


def train_tokenizer(texts: Iterable[str], vocabulary: int = VOCABULARY) -> Tokenizer:
    """Train a tokenizer on ``texts``. Raises `InputError` if they are too short for ``vocabulary`` entries."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        max_token_length=32,  # longer ones come from licence texts and lines of dashes
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() < vocabulary:
        raise InputError(
            f"the texts have only {tokenizer.get_vocab_size()} different tokens, fewer than {vocabulary}: "
            "give more text, a smaller --vocabulary, or tune the bundled model and keep its tokenizer"
        )
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, path: Path) -> None:
    """Write ``tokenizer.json``, atomically."""
    aside = path.with_name(path.name + ".partial")
    tokenizer.save(str(aside))
    aside.replace(path)


def special_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of a special token. Raises `InputError` if the tokenizer does not have it."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise InputError(f"the tokenizer has no token {token}, which training needs")
    return int(found)


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a ``tokenizer.json``. Raises `InputError` if it is not a tokenizer, or lacks a special token."""
    if not path.is_file():
        raise InputError(f"{path}: no such tokenizer")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust library raises plain Exception
        raise InputError(f"{path}: not a tokenizer: {error}") from error
    for token in (PAD, EOM, FILE, PREFIX, SUFFIX, MIDDLE, RELATED):
        special_id(tokenizer, token)
    return tokenizer
