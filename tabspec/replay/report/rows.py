"""A row of a bar chart in the page."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class BarRow:
    """A name, a chart, and the value that the chart shows."""

    name: str
    chart: Markup
    value: str
    hint: str = ""
