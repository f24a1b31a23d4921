"""Fill-in-the-middle formats: how each model family is prompted for the text between a prefix and a suffix.

A format renders to *parts*: special tokens and plain texts. Plain text is never searched for special tokens, so a
document that contains ``<fim_prefix>`` cannot change the prompt.

Two orders (Bavarian et al. 2022, arXiv 2207.14255). *Suffix first*: the prefix is at the end, and
typing or accepting only appends to the prompt. *Prefix first*: the model writes after the middle marker; there the
line in progress is put after the marker, too, so that the prompt stays the same while the line grows (the idea of
EFIM, arXiv 2505.21889). Suffix first is used where a family was trained on it.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

from tabspec.errors import ModelNotUsable


@dataclass(frozen=True, slots=True)
class Special:
    """A special token, by its name in the tokenizer's vocabulary."""

    token: str


Part = Special | str


@dataclass(frozen=True, slots=True)
class FimInput:
    """What a format renders: the text before and after the completion. ``head`` ends at the canonical cut; ``related``
    holds (path, text) of other files."""

    head: str
    suffix: str
    path: str = ""
    related: tuple[tuple[str, str], ...] = ()


Layout = Callable[["FimFormat", FimInput], list[Part]]


@dataclass(frozen=True, slots=True)
class FimFormat:
    """One family's format.

    ``prefix``, ``suffix``, ``middle`` name its markers (``middle`` is "" where nothing stands between prefix and
    middle), ``begin`` the token a prompt begins with ("" for none), ``file`` the one that separates files ("" for
    none). ``needs`` are further tokens, and ``model_types`` the values of ``model_type`` in the configuration, that
    tell families with the same markers apart (empty: any).
    """

    name: str
    prefix: str
    suffix: str
    middle: str
    layout: Layout
    begin: str = ""
    file: str = ""
    needs: tuple[str, ...] = ()
    model_types: tuple[str, ...] = ()

    def render(self, asked: FimInput) -> tuple[Part, ...]:
        """The prompt, up to the place where the model writes. Empty texts are left out."""
        begin: list[Part] = [Special(self.begin)] if self.begin else []
        return tuple(part for part in begin + self.layout(self, asked) if part != "")

    @property
    def markers(self) -> tuple[str, ...]:
        """The special tokens it is made of."""
        return tuple(t for t in (self.begin, self.prefix, self.suffix, self.middle, self.file, *self.needs) if t)

    def fits(self, vocabulary: Container[str], model_type: str) -> bool:
        """Whether a model with this vocabulary and ``model_type`` was trained on this format."""
        return all(t in vocabulary for t in self.markers) and (not self.model_types or model_type in self.model_types)


def _ours(form: FimFormat, asked: FimInput) -> list[Part]:
    parts: list[Part] = [Special(form.file), asked.path]
    for path, text in asked.related:
        parts += [Special("<|rel|>"), f"{path}\n{text}"]
    return [*parts, Special(form.suffix), asked.suffix, Special(form.prefix), asked.head]


def _hole(form: FimFormat, asked: FimInput) -> list[Part]:
    """Prefix first: prefix, suffix, and the middle marker, after which the model writes."""
    return [Special(form.prefix), asked.head, Special(form.suffix), asked.suffix, Special(form.middle)]


def _joint(form: FimFormat, asked: FimInput) -> list[Part]:
    """Suffix first, the paper's "variant 2": the prefix follows the middle marker, and the middle continues it."""
    return [Special(form.prefix), Special(form.suffix), asked.suffix, Special(form.middle), asked.head]


def _qwen(form: FimFormat, asked: FimInput) -> list[Part]:
    parts: list[Part] = []
    for path, text in asked.related:
        parts += [Special(form.file), f"{path}\n{text}\n"]
    if asked.related:
        parts += [Special(form.file), f"{asked.path}\n"]
    return parts + _hole(form, asked)


def _starcoder2(form: FimFormat, asked: FimInput) -> list[Part]:
    parts: list[Part] = []
    for path, text in asked.related:
        parts += [Special(form.file), f"{path}\n{text}"]
    named = f"{asked.path}\n" if asked.path else ""
    marker, *hole = _hole(form, asked)
    return [*parts, Special(form.file), marker, named, *hole]


def _starcoder(form: FimFormat, asked: FimInput) -> list[Part]:
    parts: list[Part] = []
    for path, text in asked.related:
        parts += [Special(form.file), f"{path}\n{text}\n"]
    return parts + _joint(form, asked)


def _deepseek(form: FimFormat, asked: FimInput) -> list[Part]:
    return [*(f"#{path}\n{text}\n" for path, text in asked.related), *_hole(form, asked)]


def _codegemma(form: FimFormat, asked: FimInput) -> list[Part]:
    parts: list[Part] = []
    for path, text in asked.related:
        parts += [f"{path}\n{text}", Special(form.file)]
    return [*parts, *([f"{asked.path}\n"] if asked.related else []), *_hole(form, asked)]


def _codellama(form: FimFormat, asked: FimInput) -> list[Part]:
    # It knows no marker for files: related text is a comment with the name, and the text, before the prefix.
    related = [f"# {path}\n{text}\n" for path, text in asked.related]
    *front, head = _joint(form, asked)
    return [*front, *related, head]


def _codestral(form: FimFormat, asked: FimInput) -> list[Part]:
    related = [f"+++++ {path}\n{text}\n" for path, text in asked.related]
    return [Special(form.suffix), asked.suffix, Special(form.prefix), *related, asked.head]


def _mellum(form: FimFormat, asked: FimInput) -> list[Part]:
    parts: list[Part] = []
    for path, text in (*asked.related, (asked.path, "")) if asked.related or asked.path else ():
        parts += [Special(form.file), f"{path}\n{text}"]
    return [*parts, Special(form.suffix), asked.suffix, Special(form.prefix), asked.head, Special(form.middle)]


OURS = FimFormat("tabspec", "<|pre|>", "<|suf|>", "", _ours, file="<|file|>", needs=("<|eom|>", "<|rel|>"))
"""Ours: ``<|file|>name<|rel|>name\\ntext<|suf|>suffix<|pre|>prefix`` + middle + ``<|eom|>``
(tabspec.train.examples.fim)."""

QWEN = FimFormat("qwen2.5-coder", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", _qwen, file="<|file_sep|>")
"""Qwen2.5-Coder (README of QwenLM/Qwen2.5-Coder, "file-level" and "repo-level code completion")."""

CODEGEMMA = FimFormat(
    "codegemma",
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
    _codegemma,
    begin="<bos>",
    file="<|file_separator|>",
)
"""CodeGemma (ai.google.dev/gemma/docs/codegemma/prompt-structure)."""

STARCODER2 = FimFormat(
    "starcoder2",
    "<fim_prefix>",
    "<fim_suffix>",
    "<fim_middle>",
    _starcoder2,
    file="<file_sep>",
    needs=("<repo_name>",),
    model_types=("starcoder2",),
)
"""StarCoder2 (arXiv 2402.19173, section 5.1: the file's path follows ``<fim_prefix>``)."""

SMOLLM = FimFormat(
    "smollm", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", _qwen, file="<file_sep>", needs=("<repo_name>",)
)
"""SmolLM-style: its tokenizer has StarCoder2's file tokens; tunings for code add the markers, prefix first."""

STARCODER = FimFormat(
    "starcoder",
    "<fim_prefix>",
    "<fim_suffix>",
    "<fim_middle>",
    _starcoder,
    file="<filename>",
    needs=("<reponame>",),
    model_types=("gpt_bigcode",),
)
"""StarCoder 1 (arXiv 2305.06161: half of its fill-in-the-middle examples suffix first, "SPM variant 2")."""

GRANITE = FimFormat(
    "granite-code",
    "<fim_prefix>",
    "<fim_suffix>",
    "<fim_middle>",
    _starcoder,
    file="<filename>",
    needs=("<reponame>",),
    model_types=("llama", "granite"),
)
"""Granite code models: StarCoder's tokens, trained on both orders (arXiv 2405.04324, section 4.2)."""

MELLUM = FimFormat("mellum", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", _mellum, file="<filename>")
"""JetBrains Mellum: ``<fim_suffix>…<fim_prefix>…<fim_middle>`` (its model card). Only by name: its tokens are those
of Granite's tokenizer."""

FIM_TOKENS = FimFormat("fim-tokens", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", _hole)
"""Whoever else has StarCoder's markers (StableCode, Refact): prefix first, which all of them know."""

SANTACODER = FimFormat("santacoder", "<fim-prefix>", "<fim-suffix>", "<fim-middle>", _joint)
"""SantaCoder: hyphens (its special_tokens_map.json); both orders (arXiv 2301.03988)."""

DEEPSEEK = FimFormat(
    "deepseek-coder",
    "<｜fim▁begin｜>",
    "<｜fim▁hole｜>",
    "<｜fim▁end｜>",
    _deepseek,
    begin="<｜begin▁of▁sentence｜>",
)
"""DeepSeek-Coder (README, "code insertion"): begin, prefix, hole, suffix, end. Files are told apart by ``#path``."""

CODELLAMA = FimFormat("codellama", "▁<PRE>", "▁<SUF>", "▁<MID>", _codellama, begin="<s>", needs=("▁<EOT>",))
"""Code Llama (arXiv 2308.12950, section 2.3): ``<PRE> <SUF>suffix <MID> prefix``, its suffix-first format."""

CODESTRAL = FimFormat("codestral", "[PREFIX]", "[SUFFIX]", "", _codestral, begin="<s>")
"""Codestral (mistral-common, ``encode_fim``): ``<s>[SUFFIX]suffix[PREFIX]prefix``."""

FORMATS = (
    OURS,
    QWEN,
    CODEGEMMA,
    STARCODER2,
    SMOLLM,
    STARCODER,
    GRANITE,
    MELLUM,
    FIM_TOKENS,
    SANTACODER,
    DEEPSEEK,
    CODELLAMA,
    CODESTRAL,
)
"""All formats, the more special ones first."""

_BY_NAME_ONLY = (MELLUM,)


def detect(vocabulary: Container[str], model_type: str = "") -> FimFormat:
    """The format of a model, from its tokenizer's vocabulary and its configuration's ``model_type``.

    Raises `ModelNotUsable` if it has no fill-in-the-middle tokens that are known here.
    """
    for form in FORMATS:
        if form not in _BY_NAME_ONLY and form.fits(vocabulary, model_type):
            return form
    raise ModelNotUsable("the model has no fill-in-the-middle tokens; name a code model that was trained with them")


def by_name(name: str, vocabulary: Container[str]) -> FimFormat:
    """The format called ``name``. Raises `ModelNotUsable` if there is none, or the vocabulary lacks its tokens."""
    for form in FORMATS:
        if form.name == name:
            missing = [token for token in form.markers if token not in vocabulary]
            if missing:
                raise ModelNotUsable(f"the format {name} needs the token {missing[0]}, which the model lacks")
            return form
    raise ModelNotUsable(f"unknown format {name!r}; known are: {', '.join(form.name for form in FORMATS)}")
