"""Where and in which number format a model runs."""

from __future__ import annotations

import torch

from tabspec.errors import ModelNotUsable

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


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype called ``name``; "auto" takes bfloat16 where the hardware computes in it, else float32.

    Raises `ModelNotUsable` for unknown names.
    """
    if name == "auto":
        if device.type == "cpu":
            return torch.bfloat16 if cpu_has_bfloat16() else torch.float32
        if device.type == "cuda" and not torch.cuda.is_bf16_supported():
            return torch.float16
        return torch.bfloat16
    if name not in DTYPES:
        raise ModelNotUsable(f"unknown dtype {name!r}; known are: auto, {', '.join(DTYPES)}")
    return DTYPES[name]


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself (AVX512-BF16 or AMX); elsewhere float32 is faster."""
    tests = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(test() for test in tests if test)
