"""The loss curves of a run as SVG, without a plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tabspec.train.journal import Record

WIDTH, HEIGHT, MARGIN = 760, 400, 56
_COLOURS = {"training": "#2563eb", "held out": "#d97706"}


def loss_curve(records: Sequence[Record], title: str) -> str:
    """An SVG file of the training loss and the held-out loss (nats per token) over the tokens seen."""
    curves = {
        "training": [(r.tokens, r.loss) for r in records],
        "held out": [(r.tokens, r.validation) for r in records if r.validation is not None],
    }
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return _frame(f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">no steps yet</text>', title)
    most = max(x for x, _ in points) or 1
    low, high = min(y for _, y in points), max(y for _, y in points)
    # The first losses are far higher than the rest. So the axis ends above the median, by three times the distance from
    # the lowest loss to the median.
    middle = sorted(y for _, y in points)[len(points) // 2]
    high = min(high, middle + max(middle - low, 0.1) * 3)

    def place(x: float, y: float) -> tuple[float, float]:
        across = MARGIN + (WIDTH - 2 * MARGIN) * x / most
        up = (min(y, high) - low) / max(high - low, 1e-9)
        return across, HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * up

    parts = []
    for name, curve in curves.items():
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in (place(x, y) for x, y in curve))
        parts.append(f'<polyline fill="none" stroke="{_COLOURS[name]}" stroke-width="1.6" points="{line}"/>')
    for step in range(5):
        value, tokens = low + (high - low) * step / 4, most * step / 4
        across, up = place(tokens, value)
        parts.append(f'<text x="{MARGIN - 8}" y="{up + 4:.1f}" text-anchor="end">{value:.2f}</text>')
        parts.append(f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{up:.1f}" y2="{up:.1f}" stroke="#ddd"/>')
        below = HEIGHT - MARGIN + 18
        parts.append(f'<text x="{across:.1f}" y="{below}" text-anchor="middle">{tokens / 1e6:,.1f}M</text>')
    for row, (name, colour) in enumerate(_COLOURS.items()):
        last = curves[name][-1][1] if curves[name] else None
        label = f"{name}: {last:.3f}" if last is not None else f"{name}: not measured"
        parts.append(
            f'<text x="{WIDTH - MARGIN}" y="{MARGIN + 4 + 18 * row}" text-anchor="end" fill="{colour}">{label}</text>'
        )
    return _frame("\n".join(parts), title)


def _frame(inner: str, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="{escape(title)}">\n<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<text x="{MARGIN}" y="28" font-size="15">{escape(title)}</text>\n{inner}\n'
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">tokens seen; loss in nats per token</text>\n'
        "</svg>\n"
    )
