"""The compiled decoder of tabspec for CPUs. ``LIBRARY`` is the path of the shared library."""

from pathlib import Path

LIBRARY = Path(__file__).parent / "libtabspec_native.so"
