"""A tokenizer as bytes: the bytes of each token, and the tokens that agree with a given text.

Made from a ``tokenizer.json`` (the library tokenizers): byte-level BPE (GPT-2 and after), and sentencepiece-style BPE
with byte fallback (Llama 2, Gemma).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from typing import Any

from tokenizers import Tokenizer
from tokenizers.normalizers import NFC

from tabspec.errors import ModelNotUsable

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
# Tokens named like control tokens are control tokens, whatever their "special" flag says (Qwen's FIM tokens lack it).
_CONTROL = re.compile(r"<[|｜][^<>\s]+[|｜]>")
_SPACE = "\u2581"  # sentencepiece's sign for a space
# A character that begins no longer token. Text that is encoded after it gets no leading space from sentencepiece.
_ANCHOR = "\u2603"


class Vocabulary:
    """Token ids, the bytes they write, and the tokenizer that turns plain text into them.

    ``markers`` are control tokens in addition to those that the tokenizer itself calls special. Raises
    `ModelNotUsable` for tokenizers of another kind, and for those that cannot write every text.
    """

    def __init__(self, tokenizer_json: str, markers: Collection[str] = ()) -> None:
        spec: dict[str, Any] = json.loads(tokenizer_json)
        ids: dict[str, int] = dict(Tokenizer.from_str(tokenizer_json).get_vocab(with_added_tokens=True))
        added = {token["content"]: bool(token["special"]) for token in spec.get("added_tokens") or ()}
        control = {t for t, special in added.items() if special or _CONTROL.fullmatch(t)}
        control |= {token for token in markers if token in ids}
        self.ids = ids
        self.size = max(ids.values()) + 1
        self.bytes_of = self._bytes(ids, added, control, _byte_level(spec))
        self.control = frozenset(ids[token] for token in control)
        self._plain = _plain_tokenizer(spec, control)
        self._anchored = not _byte_level(spec)
        self._looks_back = "(?<" in json.dumps(spec.get("pre_tokenizer"))  # a pattern with a lookbehind
        texts = sorted((data, token) for token, data in enumerate(self.bytes_of) if data)
        self._sorted = [data for data, _ in texts]
        self._sorted_ids = [token for _, token in texts]
        self._exact: dict[bytes, list[int]] = {}
        for data, token in texts:
            self._exact.setdefault(data, []).append(token)
        self._longest = max(map(len, self._sorted), default=0)
        lacking = [byte for byte in _utf8_bytes() if bytes([byte]) not in self._exact]
        if lacking:
            raise ModelNotUsable(
                f"the model's tokenizer cannot write every text (it has no token for byte {lacking[0]})"
            )

    @staticmethod
    def _bytes(ids: dict[str, int], added: Collection[str], control: Collection[str], byte_level: bool) -> list[bytes]:
        table = [b""] * (max(ids.values()) + 1)
        for token, number in ids.items():
            if token in control:
                continue
            if token in added:
                table[number] = token.encode("utf-8", "surrogatepass")
            elif byte_level:
                table[number] = _from_byte_level(token)
            elif match := _BYTE.fullmatch(token):
                table[number] = bytes([int(match[1], 16)])
            else:
                table[number] = token.replace(_SPACE, " ").encode("utf-8", "surrogatepass")
        return table

    def encode(self, text: str) -> list[int]:
        """The tokenizer's own tokens for plain text; control tokens named in it are text like any other."""
        if not text:
            return []
        if not self._anchored:
            return list(self._plain.encode(text, add_special_tokens=False).ids)
        encoding = self._plain.encode(_ANCHOR + text, add_special_tokens=False)
        # The anchor is one or more tokens; the text begins with the first token that ends after the anchor's character.
        return [token for token, (_, end) in zip(encoding.ids, encoding.offsets, strict=True) if end > len(_ANCHOR)]

    def apart(self, left: str, right: str) -> bool:
        """Whether the tokenizer splits ``left`` from ``right`` before it forms tokens, and has no other rule by which
        one text could change the tokens of the other."""
        splits, normalizer = self._plain.pre_tokenizer, self._plain.normalizer
        if self._anchored or splits is None or not isinstance(normalizer, NFC | None) or self._looks_back:
            return False
        split = any(start == len(left) for _, (start, _) in splits.pre_tokenize_str(left + right))
        return split and self.encode(left + right) == self.encode(left) + self.encode(right)

    def agreeing(self, rest: bytes) -> list[int]:
        """Ids of the tokens that agree with the text ``rest`` (not empty): those it starts with, and those that start
        with it. In ascending order, so that a choice among equals does not depend on ``rest``."""
        found: list[int] = []
        for length in range(1, min(len(rest) - 1, self._longest) + 1):
            found += self._exact.get(rest[:length], ())
        if len(rest) <= self._longest:
            low = bisect_left(self._sorted, rest)
            high = bisect_right(self._sorted, rest, low, key=lambda data: data[: len(rest)])
            found += self._sorted_ids[low:high]
        return sorted(found)


def _plain_tokenizer(spec: dict[str, Any], control: Collection[str]) -> Tokenizer:
    """The tokenizer without its control tokens, so that text that names one is not taken for it."""
    added = [token for token in spec.get("added_tokens") or () if token["content"] not in control]
    return Tokenizer.from_str(
        json.dumps(spec | {"added_tokens": added, "post_processor": None, "truncation": None, "padding": None})
    )


def _byte_level(spec: dict[str, Any]) -> bool:
    """Whether the tokenizer writes bytes as GPT-2's does; False for sentencepiece's way. Raises `ModelNotUsable`."""
    kinds = {step["type"] for step in _steps(spec.get("decoder"))} | {
        step["type"] for step in _steps(spec.get("pre_tokenizer"))
    }
    if "ByteLevel" in kinds:
        return True
    if kinds & {"ByteFallback", "Metaspace"} or spec.get("model", {}).get("byte_fallback"):
        return False
    raise ModelNotUsable("the model's tokenizer is neither byte-level nor of sentencepiece's kind")


def _steps(part: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """A decoder or pre-tokenizer and what it is made of."""
    if part:
        yield part
        for key in ("decoders", "pretokenizers"):
            for step in part.get(key) or ():
                yield from _steps(step)


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable characters for the 256 bytes: those that are printable stand for themselves, the others
    follow from U+0100 on (``bytes_to_unicode`` in openai/gpt-2, encoder.py)."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(0x100 + i): byte for i, byte in enumerate(moved)}


_ALPHABET = _byte_alphabet()


def _from_byte_level(token: str) -> bytes:
    try:
        return bytes(_ALPHABET[char] for char in token)
    except KeyError:  # not of the alphabet: an entry that the merges never make
        return token.encode("utf-8", "surrogatepass")


def _utf8_bytes() -> list[int]:
    """The byte values that occur in UTF-8 (RFC 3629: never C0, C1, F5 to FF)."""
    return [byte for byte in range(256) if byte not in (0xC0, 0xC1) and byte < 0xF5]
