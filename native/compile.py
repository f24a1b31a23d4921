"""Compile the library: one file of C++ for each instruction set, with g++ or clang++ (or what ``CXX`` names).

    python native/compile.py          into native/src/tabspec_native, for use from this checkout

No other library is needed.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE / "src" / "tabspec_native" / "libtabspec_native.so"
# Multiply-adds are fused only where the code asks for it. If the compiler chose, the last bit of a result would depend
# on the place in the code.
COMMON = ("-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-Wall", "-Wextra", "-Wno-psabi")
AVX512 = ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni", "-mfma", "-mprefer-vector-width=512")
X86 = {
    "level_avx2": ("-mavx2", "-mfma"),
    "level_avxvnni": ("-mavx2", "-mfma", "-mavxvnni"),
    "level_avx512": AVX512,
    "level_amx": (*AVX512, "-mamx-tile", "-mamx-int8"),
}


def compiler() -> str | None:
    """The path of a C++ compiler; None if there is none."""
    return next(
        (found for name in (os.environ.get("CXX"), "g++", "clang++", "c++") if name and (found := shutil.which(name))),
        None,
    )


def compile_library(target: Path = TARGET) -> None:
    """Write the library. Raises `RuntimeError`, with one line, if there is no compiler or if it fails."""
    cxx = compiler()
    if cxx is None:
        raise RuntimeError("no C++ compiler (g++, clang++, or what CXX names)")
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    sources: dict[str, tuple[str, ...]] = {"pass": (), "pool": (), "level_plain": (), **(X86 if x86 else {})}
    with tempfile.TemporaryDirectory() as folder:
        objects = [Path(folder) / f"{name}.o" for name in sources]
        running = [
            subprocess.Popen(
                [cxx, *COMMON, *flags, "-c", HERE / "cpp" / f"{name}.cpp", "-o", at], stderr=subprocess.PIPE, text=True
            )
            for (name, flags), at in zip(sources.items(), objects, strict=True)
        ]
        for process in running:
            _, output = process.communicate()
            if process.returncode:
                raise RuntimeError(f"{cxx} failed: {_first_error(output)}")
        aside = target.with_name(target.name + ".partial")
        done = subprocess.run(
            [cxx, "-shared", "-pthread", *objects, "-o", aside], stderr=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{cxx} failed: {_first_error(done.stderr)}")
        aside.replace(target)


def _first_error(output: str) -> str:
    lines = output.splitlines() or [""]
    return next((line for line in lines if "error" in line), lines[-1]).strip()


if __name__ == "__main__":
    try:
        compile_library()
    except RuntimeError as error:
        sys.exit(f"tabspec-native: {error}")
    print(TARGET)
