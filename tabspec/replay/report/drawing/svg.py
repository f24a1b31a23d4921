"""Elements of SVG. All attributes and texts are escaped here."""

from __future__ import annotations

from markupsafe import Markup, escape


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """One element. Strings are escaped, `Markup` is not; ``class_`` is class, ``stroke_width`` stroke-width.

    An attribute that is None is left out; floats are written short.
    """
    opened = Markup("<" + name)
    for key, value in attributes.items():
        if value is not None:
            text = short(value) if isinstance(value, float) else value
            opened += Markup(' {}="{}"').format(Markup(key.rstrip("_").replace("_", "-")), text)
    inner = Markup("").join(escape(child) for child in children if child is not None)
    return opened + Markup(">") + inner + Markup(f"</{name}>")


def chart(style: str, height: int, title: str, *marks: object) -> Markup:
    """A drawing as wide as the page, with a title for those who cannot see it. ``style`` is a class of page.css."""
    return tag("svg", tag("title", title), *marks, class_=style, width="100%", height=height, role="img")


def short(number: float) -> str:
    """At most two decimals, without trailing zeros: a hundredth of a pixel is invisible."""
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def share(fraction: float) -> str:
    """A fraction from 0 to 1 as a percentage of the drawing's width. Other values are clamped."""
    return short(min(max(fraction, 0.0), 1.0) * 100) + "%"
