"""The files of the package tabspec-large, as they are in the repository: what `make dist` puts into its wheel."""

from __future__ import annotations

import pytest

from tabspec.models.files.folder import EDIT_CALIBRATION, ModelFolder
from tabspec.models.files.ngram_table import DRAFTS
from tabspec.models.files.weights import is_packed
from tabspec.models.load import BUNDLED, load_model
from tabspec.models.local.edits.calibration import load_edit_calibration
from tabspec.models.process_edits import ProcessEdits
from tabspec.models.protocol import GenerationRequest, StopRule
from tests.edit_requests import REQUEST
from tests.tools import REPOSITORY

FOLDER = ModelFolder(REPOSITORY / "large" / "src" / "tabspec_large" / "model")
# The weights of a larger model may take so much: 110 million parameters in four bits.
MOST_BYTES = 64 << 20


def test_the_weights_are_one_file_in_four_bits() -> None:
    (weights,) = FOLDER.weights
    assert is_packed(weights) and weights.stat().st_size <= MOST_BYTES


@pytest.mark.parametrize("name", ["tokenizer.json", DRAFTS])
def test_tokens_are_those_of_the_bundled_model(name: str) -> None:
    assert (FOLDER.path / name).read_bytes() == (BUNDLED / name).read_bytes()


def test_its_edits_are_calibrated_and_it_has_a_card() -> None:
    assert load_edit_calibration(FOLDER.path / EDIT_CALIBRATION).steps > 0
    assert "Licence" in (FOLDER.path / "MODEL_CARD.md").read_text(encoding="utf-8")


@pytest.mark.slow
async def test_it_completes_and_writes_edits() -> None:
    model = load_model(str(FOLDER.path), device="cpu")
    asked = GenerationRequest(
        "import os\nimport sys\n\n\ndef main():\n    print(sys.arg", "", "\n", stop=StopRule(1, 8)
    )
    assert "".join([chunk.text async for chunk in model.stream(asked)]).startswith("v")
    answer = await ProcessEdits(model).edit(REQUEST)  # type: ignore[arg-type]
    assert answer.usage.prefill > 0
    await model.close()
