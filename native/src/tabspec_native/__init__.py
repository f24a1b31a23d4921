"""Decoding on CPUs for tabspec, compiled: ``LIBRARY`` is the file that it loads."""

from pathlib import Path

LIBRARY = Path(__file__).parent / "libtabspec_native.so"
