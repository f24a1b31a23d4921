"""Tiny random models and tokenizers for tests, made in a second without a download."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM

from tabspec.models.decoders.native_library import NativeMissing, installed
from tabspec.models.local.drafts import Draft, NgramDrafts
from tabspec.models.local.logits import Logits
from tabspec.models.local.ngram_cache import NgramCache
from tabspec.models.local.slots import Decoder
from tabspec.train.weights.saving import save_quantized

# A model of two layers of 32 numbers gains nothing by threads, and loses much where other tests run beside it.
torch.set_num_threads(1)

CODE = '''
def greet(name: str) -> str:
    """Say hello — grüß dich, 你好 🎉."""
    if not name:
        return "hello"
    return f"hello {name}"


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def add(self, value: int = 1) -> int:
        self.count += value
        return self.count

\tfor i in range(10):
\t\tprint(i, i * i, end="")
if (x):
    y = foo(bar(1), [2, 3]);
    z = {"a": 1, "b": 2}
'''
OURS = ("<|pad|>", "<|eom|>", "<|file|>", "<|pre|>", "<|suf|>", "<|mid|>", "<|rel|>")
QWEN = ("<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>", "<|repo_name|>")
# Qwen's and GPT-4's pieces: signs take the line end behind them along, so that the canonical cut falls into tokens.
QWEN_PIECES = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def byte_level(special: tuple[str, ...], pieces: str = QWEN_PIECES, size: int = 420) -> Tokenizer:
    """A byte-level BPE tokenizer learned from `CODE`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pieces), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([CODE], trainer)
    return tokenizer


def sentencepiece(
    special: tuple[str, ...] = ("<unk>", "<s>", "</s>", "▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"),
) -> Tokenizer:
    """A BPE tokenizer of Llama 2's kind: "▁" for spaces, byte fallback, a space before the first word."""
    tokens = [*special, *(f"<0x{byte:02X}>" for byte in range(256))]
    tokens += [chr(char) for char in range(0x21, 0x7F)] + [
        "▁",
        "▁▁",
        "▁d",
        "▁f",
        "de",
        "ef",
        "def",
        "▁def",
        "▁fo",
        "oo",
        "▁foo",
    ]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    merges = [
        ("▁", "▁"),
        ("▁", "f"),
        ("d", "e"),
        ("de", "f"),
        ("▁", "def"),
        ("▁f", "o"),
        ("o", "o"),
        ("▁f", "oo"),
    ]
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(list(special))
    return tokenizer


def save_model(folder: Path, tokenizer: Tokenizer, model_type: str = "llama", seed: int = 0, **changes: Any) -> Path:
    """Write a random model with this tokenizer as a Hugging Face folder."""
    options: dict[str, Any] = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    } | changes
    config = AutoConfig.for_model(model_type, **options)
    torch.manual_seed(seed)
    # Wide weights: with those of the usual start all logits are nearly equal, and so are all answers.
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.35)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return folder


def in_four_bits(folder: Path) -> Path:
    """The model in ``folder``, whose weights are rounded to four bits, in a file that holds these."""
    file = folder / "model.safetensors"
    save_quantized(load_file(file), file, bits=4)
    return folder


def steady_dtype() -> str:
    """The dtype in which the tokens that win do not depend on how many are run at a time: that of the file where the
    compiled decoder is, whose numbers do not depend on it at all."""
    try:
        installed()
    except NativeMissing:
        return "float32"
    return "auto"


class NoDrafts(NgramDrafts):
    """Every token is decoded singly."""

    def propose(self, tokens: Sequence[int], most: int, ngrams: NgramCache | None = None) -> Draft:
        return Draft()


class Counting:
    """``decoder``, which counts its passes, and the rows in them."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder, self.passes, self.rows = decoder, 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)

    def forward(self, kv: object, tokens: Sequence[int], want: int) -> Logits:
        self._count(len(tokens))
        return self._decoder.forward(kv, tokens, want)

    def forward_batch(self, batch: Sequence[tuple[object, Sequence[int]]], want: int) -> Sequence[Logits]:
        self._count(sum(len(tokens) for _, tokens in batch))
        found: Sequence[Logits] = self._decoder.forward_batch(batch, want)  # type: ignore[attr-defined]
        return found

    def _count(self, rows: int) -> None:
        self.passes, self.rows = self.passes + 1, self.rows + rows
