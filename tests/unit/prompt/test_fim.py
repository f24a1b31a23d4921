"""The FIM formats: special tokens and their order for each family, and detection from a vocabulary."""

from __future__ import annotations

import pytest

from tabspec.errors import ModelNotUsable
from tabspec.prompt.fim import FORMATS, MELLUM, FimFormat, FimInput, Special, by_name, detect

ASKED = FimInput("HEAD", "SUFFIX", "a.py")
RELATED = FimInput("HEAD", "SUFFIX", "a.py", (("b.py", "TEXT"),))


def drawn(form: FimFormat, asked: FimInput) -> str:
    """The prompt as one string, for reading; special tokens in their own words."""
    return "".join(part.token if isinstance(part, Special) else part for part in form.render(asked))


PROMPTS = {
    "tabspec": (
        "<|file|>a.py<|suf|>SUFFIX<|pre|>HEAD",
        "<|file|>a.py<|rel|>b.py\nTEXT<|suf|>SUFFIX<|pre|>HEAD",
    ),
    "qwen2.5-coder": (
        "<|fim_prefix|>HEAD<|fim_suffix|>SUFFIX<|fim_middle|>",
        "<|file_sep|>b.py\nTEXT\n<|file_sep|>a.py\n<|fim_prefix|>HEAD<|fim_suffix|>SUFFIX<|fim_middle|>",
    ),
    "codegemma": (
        "<bos><|fim_prefix|>HEAD<|fim_suffix|>SUFFIX<|fim_middle|>",
        "<bos>b.py\nTEXT<|file_separator|>a.py\n<|fim_prefix|>HEAD<|fim_suffix|>SUFFIX<|fim_middle|>",
    ),
    "starcoder2": (
        "<file_sep><fim_prefix>a.py\nHEAD<fim_suffix>SUFFIX<fim_middle>",
        "<file_sep>b.py\nTEXT<file_sep><fim_prefix>a.py\nHEAD<fim_suffix>SUFFIX<fim_middle>",
    ),
    "smollm": (
        "<fim_prefix>HEAD<fim_suffix>SUFFIX<fim_middle>",
        "<file_sep>b.py\nTEXT\n<file_sep>a.py\n<fim_prefix>HEAD<fim_suffix>SUFFIX<fim_middle>",
    ),
    "starcoder": (
        "<fim_prefix><fim_suffix>SUFFIX<fim_middle>HEAD",
        "<filename>b.py\nTEXT\n<fim_prefix><fim_suffix>SUFFIX<fim_middle>HEAD",
    ),
    "granite-code": (
        "<fim_prefix><fim_suffix>SUFFIX<fim_middle>HEAD",
        "<filename>b.py\nTEXT\n<fim_prefix><fim_suffix>SUFFIX<fim_middle>HEAD",
    ),
    "mellum": (
        "<filename>a.py\n<fim_suffix>SUFFIX<fim_prefix>HEAD<fim_middle>",
        "<filename>b.py\nTEXT<filename>a.py\n<fim_suffix>SUFFIX<fim_prefix>HEAD<fim_middle>",
    ),
    "fim-tokens": ("<fim_prefix>HEAD<fim_suffix>SUFFIX<fim_middle>", None),
    "santacoder": ("<fim-prefix><fim-suffix>SUFFIX<fim-middle>HEAD", None),
    "deepseek-coder": (
        "<｜begin▁of▁sentence｜><｜fim▁begin｜>HEAD<｜fim▁hole｜>SUFFIX<｜fim▁end｜>",
        "<｜begin▁of▁sentence｜>#b.py\nTEXT\n<｜fim▁begin｜>HEAD<｜fim▁hole｜>SUFFIX<｜fim▁end｜>",
    ),
    "codellama": (
        "<s>▁<PRE>▁<SUF>SUFFIX▁<MID>HEAD",
        "<s>▁<PRE>▁<SUF>SUFFIX▁<MID># b.py\nTEXT\nHEAD",
    ),
    "codestral": ("<s>[SUFFIX]SUFFIX[PREFIX]HEAD", "<s>[SUFFIX]SUFFIX[PREFIX]+++++ b.py\nTEXT\nHEAD"),
}

# What tells the families apart in their published tokenizers, and the model_type of their configurations.
STARCODER_1 = {"<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<filename>", "<reponame>"}
QWEN_FILES = {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"}
GEMMA_FILES = {"<bos>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>"}
SMOLLM = {"<|im_start|>", "<repo_name>", "<reponame>", "<file_sep>", "<filename>"}
STARCODER_2 = STARCODER_1 - {"<filename>", "<reponame>"} | {"<repo_name>", "<file_sep>"}
VOCABULARIES = {
    "tabspec": ({"<|pad|>", "<|eom|>", "<|file|>", "<|pre|>", "<|suf|>", "<|mid|>", "<|rel|>"}, "llama"),
    "qwen2.5-coder": (QWEN_FILES | {"<|im_start|>"}, "qwen2"),
    "codegemma": (GEMMA_FILES, "gemma"),
    "starcoder2": (STARCODER_2, "starcoder2"),
    "smollm": (SMOLLM | {"<fim_prefix>", "<fim_middle>", "<fim_suffix>"}, "llama"),
    "starcoder": (STARCODER_1, "gpt_bigcode"),
    "granite-code": (STARCODER_1, "llama"),
    "fim-tokens": ({"<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<|endoftext|>"}, "stablelm"),
    "santacoder": ({"<fim-prefix>", "<fim-middle>", "<fim-suffix>", "<fim-pad>"}, "gpt_bigcode"),
    "deepseek-coder": (
        {"<｜begin▁of▁sentence｜>", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<|EOT|>"},
        "llama",
    ),
    "codellama": ({"<s>", "</s>", "▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"}, "llama"),
    "codestral": ({"<s>", "</s>", "[INST]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]"}, "mistral"),
}


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_the_order_of_tokens_in_a_prompt(form: FimFormat) -> None:
    plain, related = PROMPTS[form.name]
    assert drawn(form, ASKED) == plain
    assert drawn(form, RELATED) == (related or plain)


@pytest.mark.parametrize("form", [form for form in FORMATS if form is not MELLUM], ids=lambda form: form.name)
def test_formats_are_detected(form: FimFormat) -> None:
    vocabulary, model_type = VOCABULARIES[form.name]
    assert detect(vocabulary | {"def", "Ġreturn"}, model_type) is form


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_control_tokens_in_text_stay_text(form: FimFormat) -> None:
    asked = FimInput("<fim_prefix><|eom|>", "</s>[PREFIX]<|file_sep|>", "<s>.py")
    parts = form.render(asked)
    assert asked.head in parts
    assert asked.suffix in parts
    assert {part.token for part in parts if isinstance(part, Special)} <= set(form.markers)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_empty_texts_are_left_out(form: FimFormat) -> None:
    assert "" not in form.render(FimInput("", "", ""))


def test_a_vocabulary_without_fim_tokens_is_refused() -> None:
    with pytest.raises(ModelNotUsable, match="no fill-in-the-middle tokens"):
        detect(SMOLLM, "llama")


def test_formats_can_be_named() -> None:
    assert by_name("mellum", STARCODER_1) is MELLUM
    with pytest.raises(ModelNotUsable, match="needs the token"):
        by_name("codestral", STARCODER_1)
    with pytest.raises(ModelNotUsable, match="unknown format 'nonsense'"):
        by_name("nonsense", STARCODER_1)
