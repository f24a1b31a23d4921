"""The curves of a run as SVG, without a plotting library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from tabspec.train.journal import Record

WIDTH, HEIGHT, MARGIN = 760, 400, 56
_COLOURS = ("#2563eb", "#d97706")
Points = Sequence[tuple[float, float]]


def loss_curve(records: Sequence[Record], title: str) -> str:
    """An SVG file of the training loss and the held-out loss (nats per token) over the tokens seen."""
    curves = {
        "training": [(r.tokens, r.loss) for r in records],
        "held out": [(r.tokens, r.validation) for r in records if r.validation is not None],
    }
    values = sorted(y for curve in curves.values() for _, y in curve)
    if not values:
        return picture(curves, title, "")
    # The first losses are far higher than the rest. So the axis ends above the median, by three times the distance from
    # the lowest loss to the median.
    middle = values[len(values) // 2]
    high = min(values[-1], middle + max(middle - values[0], 0.1) * 3)
    return picture(curves, title, "tokens seen; loss in nats per token", high)


def picture(curves: Mapping[str, Points], title: str, axes: str, high: float | None = None) -> str:
    """An SVG file of two curves over the tokens seen. ``axes`` names what the axes show. Values above ``high`` are
    drawn at the upper edge (None: there are none)."""
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return _frame(f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">no steps yet</text>', title, "")
    most = max(x for x, _ in points) or 1
    low = min(y for _, y in points)
    top = max(y for _, y in points) if high is None else high

    def place(x: float, y: float) -> tuple[float, float]:
        across = MARGIN + (WIDTH - 2 * MARGIN) * x / most
        up = (min(y, top) - low) / max(top - low, 1e-9)
        return across, HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * up

    parts = []
    for curve, colour in zip(curves.values(), _COLOURS, strict=True):
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in (place(x, y) for x, y in curve))
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="{line}"/>')
    for step in range(5):
        value, tokens = low + (top - low) * step / 4, most * step / 4
        across, up = place(tokens, value)
        parts.append(f'<text x="{MARGIN - 8}" y="{up + 4:.1f}" text-anchor="end">{value:.2f}</text>')
        parts.append(f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{up:.1f}" y2="{up:.1f}" stroke="#ddd"/>')
        below = HEIGHT - MARGIN + 18
        parts.append(f'<text x="{across:.1f}" y="{below}" text-anchor="middle">{tokens / 1e6:,.1f}M</text>')
    for row, ((name, curve), colour) in enumerate(zip(curves.items(), _COLOURS, strict=True)):
        label = f"{name}: {curve[-1][1]:.3f}" if curve else f"{name}: not measured"
        parts.append(
            f'<text x="{WIDTH - MARGIN}" y="{MARGIN + 4 + 18 * row}" text-anchor="end" fill="{colour}">{label}</text>'
        )
    return _frame("\n".join(parts), title, axes)


def _frame(inner: str, title: str, axes: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="{escape(title)}">\n<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<text x="{MARGIN}" y="28" font-size="15">{escape(title)}</text>\n{inner}\n'
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(axes)}</text>\n'
        "</svg>\n"
    )
