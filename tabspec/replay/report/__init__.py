"""Reports of a replay: a table for the terminal, and a self-contained HTML page."""

from tabspec.replay.report.page import render, write
from tabspec.replay.report.table import print_result

__all__ = ["print_result", "render", "write"]
