"""Fill-in-the-middle formats: how each model family is prompted for the text between a prefix and a suffix.

A format renders to *parts*: special tokens and plain texts. Plain text is never searched for special tokens. A
document that contains ``<fim_prefix>`` therefore cannot change the prompt.

A prompt has one of two orders (Bavarian et al. 2022, arXiv 2207.14255). *Suffix first*: the prompt ends with the
prefix, so typing or accepting only appends to it. *Prefix first*: the prompt ends with the middle marker. The current
line is put after that marker, so the prompt up to the marker stays the same while the line grows (the idea of EFIM,
arXiv 2505.21889). Suffix first is used for every family that was trained on it.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

from tabspec.errors import ModelNotUsable


@dataclass(frozen=True, slots=True)
class Special:
    """A special token, by its name in the tokenizer's vocabulary."""

    token: str


PromptPart = Special | str


@dataclass(frozen=True, slots=True)
class FimInput:
    """The input of a format: the text before (``head``) and after (``suffix``) the completion.

    ``head`` ends at the canonical cut. ``related`` holds the (path, text) of excerpts from other files."""

    head: str
    suffix: str
    path: str = ""
    related: tuple[tuple[str, str], ...] = ()


PromptLayout = Callable[["FimFormat", FimInput], list[PromptPart]]


@dataclass(frozen=True, slots=True)
class FimFormat:
    """The format of one model family.

    ``prefix``, ``suffix`` and ``middle`` are its marker tokens. ``middle`` is "" if the completion follows the prefix
    without a marker. ``begin`` is the first token of a prompt, and ``file`` separates files; "" means none.
    Two fields distinguish families with the same markers: ``needs`` are further tokens that the vocabulary must have.
    ``model_types`` are the allowed values of ``model_type`` in the model's configuration (empty: any).
    """

    name: str
    prefix: str
    suffix: str
    middle: str
    layout: PromptLayout
    begin: str = ""
    file: str = ""
    needs: tuple[str, ...] = ()
    model_types: tuple[str, ...] = ()

    def render(self, fim: FimInput) -> tuple[PromptPart, ...]:
        """The prompt, up to the point where the model continues it. Empty texts are left out."""
        begin: list[PromptPart] = [Special(self.begin)] if self.begin else []
        return tuple(part for part in begin + self.layout(self, fim) if part != "")

    @property
    def markers(self) -> tuple[str, ...]:
        """The special tokens that the format uses."""
        return tuple(t for t in (self.begin, self.prefix, self.suffix, self.middle, self.file, *self.needs) if t)

    def fits(self, vocabulary: Container[str], model_type: str) -> bool:
        """Whether a model with this vocabulary and ``model_type`` was trained on this format."""
        return all(t in vocabulary for t in self.markers) and (not self.model_types or model_type in self.model_types)


def _tabspec(form: FimFormat, fim: FimInput) -> list[PromptPart]:
    parts: list[PromptPart] = [Special(form.file), fim.path]
    for path, text in fim.related:
        parts += [Special("<|rel|>"), f"{path}\n{text}"]
    return [*parts, Special(form.suffix), fim.suffix, Special(form.prefix), fim.head]


def _hole(form: FimFormat, fim: FimInput) -> list[PromptPart]:
    """Prefix first: the prefix, the suffix and the middle marker. The model continues after the marker."""
    return [Special(form.prefix), fim.head, Special(form.suffix), fim.suffix, Special(form.middle)]


def _joint(form: FimFormat, fim: FimInput) -> list[PromptPart]:
    """Suffix first, the paper's "variant 2": the prefix follows the middle marker, and the middle continues it."""
    return [Special(form.prefix), Special(form.suffix), fim.suffix, Special(form.middle), fim.head]


def _qwen(form: FimFormat, fim: FimInput) -> list[PromptPart]:
    parts: list[PromptPart] = []
    for path, text in fim.related:
        parts += [Special(form.file), f"{path}\n{text}\n"]
    if fim.related:
        parts += [Special(form.file), f"{fim.path}\n"]
    return parts + _hole(form, fim)


def _starcoder2(form: FimFormat, fim: FimInput) -> list[PromptPart]:
    parts: list[PromptPart] = []
    for path, text in fim.related:
        parts += [Special(form.file), f"{path}\n{text}"]
    named = f"{fim.path}\n" if fim.path else ""
    marker, *hole = _hole(form, fim)
    return [*parts, Special(form.file), marker, named, *hole]


def _starcoder(form: FimFormat, fim: FimInput) -> list[PromptPart]:
    parts: list[PromptPart] = []
    for path, text in fim.related:
        parts += [Special(form.file), f"{path}\n{text}\n"]
    return parts + _joint(form, fim)


def _deepseek(form: FimFormat, fim: FimInput) -> list[PromptPart]:
    return [*(f"#{path}\n{text}\n" for path, text in fim.related), *_hole(form, fim)]


def _codegemma(form: FimFormat, fim: FimInput) -> list[PromptPart]:
    parts: list[PromptPart] = []
    for path, text in fim.related:
        parts += [f"{path}\n{text}", Special(form.file)]
    return [*parts, *([f"{fim.path}\n"] if fim.related else []), *_hole(form, fim)]


def _codellama(form: FimFormat, fim: FimInput) -> list[PromptPart]:
    # Code Llama has no marker for files. Each related text follows a comment with its path, before the prefix.
    related = [f"# {path}\n{text}\n" for path, text in fim.related]
    *front, head = _joint(form, fim)
    return [*front, *related, head]


def _codestral(form: FimFormat, fim: FimInput) -> list[PromptPart]:
    related = [f"+++++ {path}\n{text}\n" for path, text in fim.related]
    return [Special(form.suffix), fim.suffix, Special(form.prefix), *related, fim.head]


def _mellum(form: FimFormat, fim: FimInput) -> list[PromptPart]:
    parts: list[PromptPart] = []
    for path, text in (*fim.related, (fim.path, "")) if fim.related or fim.path else ():
        parts += [Special(form.file), f"{path}\n{text}"]
    return [*parts, Special(form.suffix), fim.suffix, Special(form.prefix), fim.head, Special(form.middle)]


OURS = FimFormat("tabspec", "<|pre|>", "<|suf|>", "", _tabspec, file="<|file|>", needs=("<|eom|>", "<|rel|>"))
"""The format of tabspec's own models: ``<|file|>name<|rel|>name\\ntext<|suf|>suffix<|pre|>prefix`` + middle +
``<|eom|>`` (tabspec.train.examples.fim)."""

# Prefix, suffix and middle, as several families write them.
_QWEN_MARKS = "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"
_STARCODER_MARKS = "<fim_prefix>", "<fim_suffix>", "<fim_middle>"

QWEN = FimFormat("qwen2.5-coder", *_QWEN_MARKS, _qwen, file="<|file_sep|>")
"""Qwen2.5-Coder (README of QwenLM/Qwen2.5-Coder, "file-level" and "repo-level code completion")."""

CODEGEMMA = FimFormat("codegemma", *_QWEN_MARKS, _codegemma, begin="<bos>", file="<|file_separator|>")
"""CodeGemma (ai.google.dev/gemma/docs/codegemma/prompt-structure)."""

STARCODER2 = FimFormat(
    "starcoder2", *_STARCODER_MARKS, _starcoder2, file="<file_sep>", needs=("<repo_name>",), model_types=("starcoder2",)
)
"""StarCoder2 (arXiv 2402.19173, section 5.1: the file's path follows ``<fim_prefix>``)."""

SMOLLM = FimFormat("smollm", *_STARCODER_MARKS, _qwen, file="<file_sep>", needs=("<repo_name>",))
"""SmolLM: its tokenizer has StarCoder2's file tokens. Its code-tuned versions add the markers, prefix first."""

STARCODER = FimFormat(
    "starcoder", *_STARCODER_MARKS, _starcoder, file="<filename>", needs=("<reponame>",), model_types=("gpt_bigcode",)
)
"""StarCoder 1 (arXiv 2305.06161: half of its fill-in-the-middle examples are suffix first, "SPM variant 2")."""

GRANITE = FimFormat(
    "granite-code",
    *_STARCODER_MARKS,
    _starcoder,
    file="<filename>",
    needs=("<reponame>",),
    model_types=("llama", "granite"),
)
"""Granite code models: StarCoder's tokens, trained on both orders (arXiv 2405.04324, section 4.2)."""

MELLUM = FimFormat("mellum", *_STARCODER_MARKS, _mellum, file="<filename>")
"""JetBrains Mellum: ``<fim_suffix>…<fim_prefix>…<fim_middle>`` (its model card). It must be selected by name: it has
the same tokens as Granite, so it cannot be detected."""

FIM_TOKENS = FimFormat("fim-tokens", *_STARCODER_MARKS, _hole)
"""Other families with StarCoder's markers (StableCode, Refact): prefix first, which all of them support."""

SANTACODER = FimFormat("santacoder", "<fim-prefix>", "<fim-suffix>", "<fim-middle>", _joint)
"""SantaCoder: markers with hyphens (its special_tokens_map.json), trained on both orders (arXiv 2301.03988)."""

DEEPSEEK = FimFormat(
    "deepseek-coder", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", _deepseek, begin="<｜begin▁of▁sentence｜>"
)
"""DeepSeek-Coder (README, "code insertion"): begin, prefix, hole, suffix, end. A line ``#path`` begins each file."""

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
"""All formats. `detect` takes the first that fits, so the more specific ones come first."""

_BY_NAME_ONLY = (MELLUM,)


def detect(vocabulary: Container[str], model_type: str = "") -> FimFormat:
    """The format of a model, from its tokenizer's vocabulary and its configuration's ``model_type``.

    Raises `ModelNotUsable` if the vocabulary has the tokens of none of the `FORMATS`.
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
