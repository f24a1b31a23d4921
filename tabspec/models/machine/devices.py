"""Where and in which number format a model runs."""

from __future__ import annotations

import torch

from tabspec.errors import ModelNotUsable

INT4 = "int4"
"""Weights in four bits: for our own decoder only, on CPUs only (`tabspec.models.files.int4`)."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def pick_device(name: str = "auto") -> torch.device:
    """The device called ``name``; "auto" takes CUDA, then MPS, then the CPU. Raises `ModelNotUsable`."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelNotUsable(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from None
    return device


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device had no memory left. Inside a captured graph, CUDA raises a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error)


OUT_OF_MEMORY = "the GPU has not enough free memory for it; end what else uses the GPU, or run the model on the CPU"


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype called ``name``; "auto" takes bfloat16 if the hardware computes in it, else float32 (float16 on CUDA).

    Raises `ModelNotUsable` for unknown names, and for int4, which is a format of weights only.
    """
    if name == "auto":
        if device.type == "cpu":
            return torch.bfloat16 if cpu_has_bfloat16() else torch.float32
        if device.type == "cuda" and not torch.cuda.is_bf16_supported():
            return torch.float16
        return torch.bfloat16
    if name == INT4:
        raise ModelNotUsable(
            "dtype int4 is for models that our own decoder runs (Llama, Qwen2, Mistral); transformers runs this one"
        )
    if name not in DTYPES:
        raise ModelNotUsable(f"unknown dtype {name!r}; known are: auto, {', '.join(DTYPES)}, {INT4}")
    return DTYPES[name]


def pick_weights(name: str, device: torch.device) -> tuple[torch.dtype, bool]:
    """As `pick_dtype`, for a decoder with int4: the dtype to compute in, and whether the weights are int4.

    Raises `ModelNotUsable` for unknown names, and for int4 anywhere but on a CPU.
    """
    if name != INT4:
        return pick_dtype(name, device), False
    if device.type != "cpu":
        raise ModelNotUsable(f"dtype int4 is for CPUs, not for {device.type}; add --device cpu, or take another dtype")
    return torch.bfloat16, True  # torch's kernel is slower in float32 than float32 weights are


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself (AVX512-BF16 or AMX); elsewhere float32 is faster."""
    tests = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(test() for test in tests if test)
