"""The table of draft tokens: made by its command, kept by a model that is tuned."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tabspec.cli.train import train_command
from tabspec.models.files.ngram_table import DRAFTS, load_table
from tabspec.models.load import BUNDLED
from tabspec.train.corpus.build import build_corpus
from tabspec.train.corpus.store import Corpus
from tabspec.train.examples.tokenizer import load_tokenizer
from tabspec.train.network import Network, Shape
from tabspec.train.weights.draft_table import batches
from tabspec.train.weights.export import export_model

TOKENIZER = BUNDLED / "tokenizer.json"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "code").mkdir()
    for number in range(4):
        names = "\n".join(f"def name_{number}_{line}(self, value):\n    return self.value" for line in range(9))
        (folder / "code" / f"file_{number}.py").write_text(names + "\n")
    build_corpus([folder / "code"], folder)
    return folder / "train"


def test_the_command_writes_it(corpus: Path, tmp_path: Path) -> None:
    shutil.copyfile(TOKENIZER, tmp_path / "tokenizer.json")
    result = CliRunner().invoke(train_command, ["drafts", str(tmp_path), "--corpus", str(corpus), "--entries", "99"])
    assert result.exit_code == 0, result.output
    tokenizer = load_tokenizer(TOKENIZER)
    table = load_table(tmp_path / DRAFTS, tokenizer.get_vocab_size())
    assert table and 0 < len(table.contexts) <= 99
    found = table.after(tokenizer.encode("(self, value", add_special_tokens=False).ids)
    assert found and found[1] > 0.9
    assert tokenizer.decode([found[0]]).startswith("):")
    assert sorted(path.name for path in tmp_path.iterdir()) == [DRAFTS, "tokenizer.json"]


@pytest.mark.parametrize("parts", [1, 1.5, 2, 3, 50])
def test_no_more_is_counted_than_asked_for(corpus: Path, parts: float) -> None:
    opened = Corpus(corpus)
    counted = [text for batch in batches(opened, int(opened.size / parts)) for text in batch]
    longest = max(len(text.encode()) for text in opened.texts())
    assert counted and sum(len(text.encode()) for text in counted) <= opened.size / parts + longest
    assert parts > 1 or counted == list(opened.texts())


@pytest.mark.parametrize(("model", "texts"), [("nowhere", ""), ("", "nowhere")])
def test_bad_input_is_one_line_and_leaves_nothing(model: str, texts: str, corpus: Path, tmp_path: Path) -> None:
    shutil.copyfile(TOKENIZER, tmp_path / "tokenizer.json")
    words = ["drafts", str(tmp_path / model), "--corpus", str(corpus / texts)]
    result = CliRunner().invoke(train_command, words)
    assert result.exit_code != 0
    assert "\n" not in str(result.exception) and "nowhere" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]


def test_a_tuned_model_keeps_the_table_of_the_one_it_began_as(tmp_path: Path) -> None:
    shape = Shape(hidden=32, layers=2, heads=2, kv_heads=1, mlp=64, head=16, context=64)
    export_model(Network(shape).state_dict(), shape, TOKENIZER, tmp_path / "tuned", bits=8)
    assert (tmp_path / "tuned" / DRAFTS).read_bytes() == (BUNDLED / DRAFTS).read_bytes()
    shutil.copyfile(TOKENIZER, tmp_path / "other.json")
    export_model(Network(shape).state_dict(), shape, tmp_path / "other.json", tmp_path / "new", bits=8)
    assert not (tmp_path / "new" / DRAFTS).exists()
