"""A GPU without the memory for a model: one clear error, and no slower decoder instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tabspec.errors import ModelError, ModelNotUsable
from tabspec.models.decoders import llama_model
from tabspec.models.load import load_model
from tabspec.models.protocol import GenerationRequest
from tests import tiny

FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has a total capacity of 80 GiB")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_model(tmp_path_factory.mktemp("model"), tiny.byte_level(tiny.OURS))


def raising(error: Exception) -> Any:
    def raises(*arguments: Any, **options: Any) -> Any:
        raise error

    return raises


@pytest.mark.parametrize("error", [FULL, RuntimeError("CUDA error: out of memory")])
def test_a_gpu_without_memory_is_an_error_at_loading(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    pytest.importorskip("triton")
    from tabspec.models.decoders import llama_cuda

    monkeypatch.setattr(llama_model, "pick_device", lambda name: torch.device("cuda"))
    monkeypatch.setattr(llama_model, "pick_weights", lambda dtype, at: (torch.bfloat16, False))
    monkeypatch.setattr(llama_cuda, "CudaDecoder", raising(error))
    monkeypatch.setattr(llama_model, "LlamaDecoder", raising(AssertionError("a slow decoder is no answer")))
    with pytest.raises(ModelNotUsable, match="not enough free memory") as refused:
        load_model(str(folder))
    assert "\n" not in str(refused.value)


async def test_a_gpu_that_runs_out_later_fails_the_request_and_frees_other_slots(folder: Path) -> None:
    model = load_model(str(folder), device="cpu", dtype="float32")
    local = model.local  # type: ignore[attr-defined]
    request = GenerationRequest(tiny.CODE[:100], "", tiny.CODE[100:], "a.py")
    whole = [chunk.text async for chunk in model.stream(request)]
    assert local.slots.all()
    forward = local.decoder.forward
    local.decoder.forward = raising(FULL)
    with pytest.raises(ModelError, match="out of memory") as failed:
        async for _ in model.stream(GenerationRequest("other", "", "", "a.py")):
            pass
    assert "\n" not in str(failed.value)
    assert len(local.slots.all()) <= 1, "what is left is the one that failed, empty"
    local.decoder.forward = forward
    assert [chunk.text async for chunk in model.stream(request)] == whole
