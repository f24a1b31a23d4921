"""Vocabularies as bytes, against brute force; and the folders and tokenizers that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from tabspec.errors import ModelNotUsable
from tabspec.models.load import load_model
from tabspec.models.tokens.vocabulary import Vocabulary
from tests import tiny

KINDS = {
    "qwen": lambda: tiny.byte_level(tiny.QWEN),
    "ours": lambda: tiny.byte_level(tiny.OURS),
    "sentencepiece": tiny.sentencepiece,
}
VOCABULARIES = {name: Vocabulary(make().to_str()) for name, make in KINDS.items()}
TEXTS = st.text(alphabet="def fo(x):\n\t é🎉你\u2603_<|eom>", max_size=12)


@pytest.mark.parametrize("name", list(KINDS))
@settings(deadline=None)
@given(text=TEXTS)
def test_encoded_text_decodes_to_itself(name: str, text: str) -> None:
    vocabulary = VOCABULARIES[name]
    assert b"".join(vocabulary.bytes_of[token] for token in vocabulary.encode(text)).decode() == text


@pytest.mark.parametrize("name", list(KINDS))
@settings(deadline=None)
@given(text=TEXTS.filter(bool), data=st.data())
def test_tokens_that_agree_with_typed_text(name: str, text: str, data: st.DataObject) -> None:
    vocabulary = VOCABULARIES[name]
    rest = text.encode()[data.draw(st.integers(0, len(text) - 1)) :]
    expected = [t for t, b in enumerate(vocabulary.bytes_of) if b and (b.startswith(rest) or rest.startswith(b))]
    assert vocabulary.agreeing(rest) == expected


@pytest.mark.parametrize("name", ["qwen", "ours"])
def test_text_that_names_control_tokens_is_text(name: str) -> None:
    vocabulary, special = VOCABULARIES[name], tiny.QWEN if name == "qwen" else tiny.OURS
    for token in special:
        assert vocabulary.ids[token] in vocabulary.control
        assert vocabulary.bytes_of[vocabulary.ids[token]] == b""
        assert not set(vocabulary.encode(f"a {token} b")) & vocabulary.control


def test_control_tokens_without_the_flag() -> None:
    """Qwen's FIM tokens are added tokens that are not called special."""
    spec = json.loads(tiny.byte_level(tiny.QWEN).to_str())
    for token in spec["added_tokens"]:
        token["special"] = False
    vocabulary = Vocabulary(json.dumps(spec))
    assert vocabulary.control == {vocabulary.ids[token] for token in tiny.QWEN}


def test_sentencepiece_adds_no_space_before_a_continuation() -> None:
    vocabulary = VOCABULARIES["sentencepiece"]
    assert vocabulary.encode("def") == [vocabulary.ids["def"]]
    assert vocabulary.encode(" def") == [vocabulary.ids["▁def"]]


def test_tokenizers_that_cannot_encode_every_text_are_refused() -> None:
    words = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    with pytest.raises(ModelNotUsable, match="neither byte-level"):
        Vocabulary(words.to_str())
    words.pre_tokenizer = pre_tokenizers.ByteLevel()
    with pytest.raises(ModelNotUsable, match="cannot write every text"):
        Vocabulary(words.to_str())


def broken(folder: Path, what: str) -> Path:
    """A model folder with one thing wrong."""
    if what == "missing":
        return folder / "nothing"
    if what == "a file":
        (folder / "model.gguf").write_bytes(b"GGUF")
        return folder / "model.gguf"
    if what == "empty":
        return folder
    tokens = ("<|endoftext|>",) if what == "no fim" else tiny.OURS
    tiny.save_model(folder, tiny.byte_level(tokens))
    weights, config = folder / "model.safetensors", folder / "config.json"
    if what == "pickle":
        weights.rename(folder / "pytorch_model.bin")
    elif what == "no weights":
        weights.unlink()
    elif what == "broken weights":
        weights.write_bytes(weights.read_bytes()[:500])
    elif what == "broken config":
        config.write_text("{")
    elif what == "unknown architecture":
        config.write_text(json.dumps({"model_type": "nothing-we-know", "architectures": ["X"]}))
    elif what == "no tokenizer":
        (folder / "tokenizer.json").unlink()
        (folder / "tokenizer_config.json").unlink()
    elif what == "broken tokenizer":
        (folder / "tokenizer.json").write_text("{}")
    elif what == "remote code":
        spec = json.loads(config.read_text()) | {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}
        config.write_text(json.dumps(spec))
        (folder / "own.py").write_text("raise SystemExit('this code must never run')")
    return folder


BROKEN = {
    "missing": "no such model folder",
    "a file": "is no folder",
    "empty": "no config.json",
    "no fim": "no fill-in-the-middle tokens",
    "pickle": "pickle",
    "no weights": "has no weights",
    "broken weights": "cannot be (loaded|read)",
    "broken config": "config",
    "unknown architecture": "nothing-we-know",
    "no tokenizer": "tokenizer",
    "broken tokenizer": "cannot be (loaded|read)",
    "remote code": "cannot be loaded",
}


@pytest.mark.parametrize("decoder", ["auto", "transformers"])
@pytest.mark.parametrize("what", list(BROKEN))
def test_models_that_cannot_be_used_are_refused(tmp_path: Path, what: str, decoder: str) -> None:
    path = broken(tmp_path, what)
    with pytest.raises(ModelNotUsable, match=BROKEN[what]) as caught:
        load_model(str(path), decoder=decoder)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [{"device": "abacus"}, {"device": "cuda:7"}, {"dtype": "float7"}, {"format": "nonsense"}, {"decoder": "magic"}],
)
def test_invalid_options_are_refused(tmp_path: Path, options: dict[str, str]) -> None:
    tiny.save_model(tmp_path, tiny.byte_level(tiny.OURS))
    with pytest.raises(ModelNotUsable):
        load_model(str(tmp_path), **options)


def test_the_fingerprint_changes_with_weights_and_dtype(tmp_path: Path) -> None:
    tokenizer = tiny.byte_level(tiny.OURS)
    one, two = (str(tiny.save_model(tmp_path / str(seed), tokenizer, seed=seed)) for seed in (1, 2))
    prints = {
        load_model(one, dtype="float32").info.fingerprint,
        load_model(one, dtype="bfloat16").info.fingerprint,
        load_model(one, dtype="int4", device="cpu").info.fingerprint,
        load_model(two, dtype="float32").info.fingerprint,
    }
    assert len(prints) == 4
    assert load_model(one, dtype="float32").info.fingerprint in prints
