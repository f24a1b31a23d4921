"""Finds and checks the compiled library tabspec-native, and declares its C interface.

The library is optional: everything works without it, but more slowly. `native/cpp/abi.h` declares the same structures.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p, c_double, c_float, c_int, c_int64, c_uint8, c_uint16
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ABI = 3
PACK, BLOCK = 16, 64  # rows and columns of a matrix are padded to multiples of these
PAIRS = 32  # keys and values of a head are padded to a multiple of this
WIDEST_HEAD = 512  # the library's own limit
PLAIN = "plain"
"""The level that every processor can run. It is for tests, and slower than torch."""
SWITCH = "TABSPEC_NATIVE"
"""Environment variable: "off", or the level to use instead of the fastest."""


class NativeMatrix(ctypes.Structure):
    _fields_ = (
        ("packed", ctypes.POINTER(c_uint8)),
        ("scale", ctypes.POINTER(c_float)),
        ("block_scale", ctypes.POINTER(c_uint16)),
        ("bias", ctypes.POINTER(c_float)),
        ("rows", c_int64),
        ("columns", c_int64),
    )


class NativeLayer(ctypes.Structure):
    _fields_ = (
        *((name, NativeMatrix) for name in ("qkv", "out", "gate_up", "down")),
        ("norm", ctypes.POINTER(c_float)),
        ("mlp_norm", ctypes.POINTER(c_float)),
    )


class NativeModel(ctypes.Structure):
    _fields_ = (
        *((name, c_int64) for name in ("vocabulary", "hidden", "layers", "heads", "kv_heads", "head_dim", "mlp")),
        ("eps", c_double),
        ("cosines", ctypes.POINTER(c_float)),
        ("sines", ctypes.POINTER(c_float)),
        ("layer", ctypes.POINTER(NativeLayer)),
        ("norm", ctypes.POINTER(c_float)),
        ("logits", NativeMatrix),
        ("embedding", ctypes.POINTER(c_uint16)),
    )


class Sequence(ctypes.Structure):
    _fields_ = (
        ("kv", ctypes.c_void_p),
        ("capacity", c_int64),
        ("start", c_int64),
        ("count", c_int64),
        ("want", c_int64),
    )


@dataclass(frozen=True)
class NativeLibrary:
    """The library, and the levels (names of instruction sets) that this processor can run, the fastest first."""

    path: Path
    levels: tuple[str, ...]
    forward: Any  # tabspec_forward

    def arithmetic(self, level: str) -> str:
        """A name shared by all levels that give the same answers. Levels with fused multiply-adds agree to the bit."""
        return PLAIN if level == PLAIN else "fused"


class NativeMissing(Exception):
    """The library is not used. The message is the reason, in one line."""


@cache
def open_library(path: Path) -> NativeLibrary:
    """Load the library at ``path``. Raises `NativeMissing`."""
    try:
        library = ctypes.CDLL(str(path))
        abi, level, forward = library.tabspec_abi, library.tabspec_level, library.tabspec_forward
    except (OSError, AttributeError) as error:
        raise NativeMissing(f"tabspec-native cannot be loaded: {str(error).splitlines()[0]}") from None
    if abi() != ABI:
        raise NativeMissing(f"tabspec-native is of another version (interface {abi()}, not {ABI}); install it anew")
    level.restype, level.argtypes = c_char_p, (c_int,)
    forward.restype = c_int
    forward.argtypes = (
        ctypes.POINTER(NativeModel),
        ctypes.POINTER(Sequence),
        c_int64,
        ctypes.c_void_p,
        ctypes.c_void_p,
        c_char_p,
        c_int,
    )
    levels: list[str] = []
    while name := level(len(levels)):
        levels.append(name.decode())
    return NativeLibrary(path, tuple(levels), forward)


def installed() -> tuple[NativeLibrary, str]:
    """The library of the package tabspec-native, and the level to use. Raises `NativeMissing`."""
    wanted = os.environ.get(SWITCH, "")
    if wanted.lower() in ("off", "0", "no"):
        raise NativeMissing(f"switched off ({SWITCH}={wanted})")
    if find_spec("tabspec_native") is None:
        raise NativeMissing("not installed (optional; with a C++ compiler, in the repository: pip install ./native)")
    library = open_library(import_module("tabspec_native").LIBRARY)
    if wanted and wanted not in library.levels:
        raise NativeMissing(f"{SWITCH}={wanted}: this processor has {', '.join(library.levels)}")
    if not wanted and library.levels[0] == PLAIN:
        raise NativeMissing(f"has no code for this processor that is faster than torch ({SWITCH}={PLAIN} runs it)")
    return library, wanted or library.levels[0]
