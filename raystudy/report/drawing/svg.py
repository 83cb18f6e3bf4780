"""SVG as text; everything that comes from outside is escaped."""

import re
from html import escape

FONT = "system-ui,'Helvetica Neue',Arial,'Liberation Sans',sans-serif"
CHARACTER = 6.1  # width of an average one in pixels at a size of 11


_NOT_XML = re.compile("[^\t\n -~\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(name: str, *children: str, **attributes: object) -> str:
    """Return an element; ``stroke_width`` stands for ``stroke-width``, None leaves one out."""
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{escape(_word(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(children)
    return f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>"


def text(x: float, y: float, words: str, **attributes: object) -> str:
    """Return a line of text."""
    return element("text", escape(clean(words)), x=x, y=y, **attributes)


def title(words: str) -> str:
    """Return what a browser shows when the pointer rests on the element around it."""
    return element("title", escape(clean(words)))


def document(width: float, height: float, *children: str, label: str) -> str:
    """Return a picture that stands by itself or within a page."""
    return element(
        "svg",
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {coordinate(width)} {coordinate(height)}",
        width=width,
        height=height,
        role="img",
        aria_label=clean(label),
        font_family=FONT,
        font_size=11,
    )


def coordinate(value: float) -> str:
    """Return a coordinate to a tenth of a pixel, as short as can be."""
    rounded = f"{value:.1f}"
    return rounded[:-2] if rounded.endswith(".0") else rounded


def straight(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return the path of a straight line."""
    return f"M{coordinate(x1)},{coordinate(y1)}L{coordinate(x2)},{coordinate(y2)}"


def width_of(words: str) -> float:
    """Return about how wide a text is, in pixels."""
    return CHARACTER * len(words)


def clean(words: str) -> str:
    """Take out what no XML may contain, escaped or not."""
    return _NOT_XML.sub("", words)


def _word(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
