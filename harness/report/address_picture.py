"""Ranges of addresses side by side as an SVG picture, a byte and 4 GiB both to be seen.

The scale is cut into the stretches between borders of ranges. Each is as high as the logarithm of
its size says, so that what lies in one place is at one height in all columns.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from harness.report.units import about

LEFT, COLUMN, GAP = 170, 190, 12
"""Widths: of the scale, of a column, between two columns; all in pixels."""
TOP = 64
LEAST_HEIGHT, OCTAVE = 16, 2.2
"""Of the stretch of one byte, and how much more one of twice the size has."""
CHARACTER = 7.3
"""Width of a letter, about."""
NARROWEST = 3
"""Of a range that shares its column with many; the text is then in its tip only."""
_FONT = "font-family='sans-serif' font-size='12'"


@dataclass(frozen=True)
class Box:
    """Addresses ``start`` … ``end - 1``, and what is there."""

    start: int
    end: int
    label: str
    colour: str
    """Of CSS."""


@dataclass(frozen=True)
class Column:
    """Boxes of one kind; those that overlap are drawn side by side."""

    name: str
    boxes: tuple[Box, ...]


def address_picture(title: str, columns: Sequence[Column]) -> str:
    """Return the text of an SVG picture, the lowest addresses at the top; boxes are not empty."""
    scale = _Scale(columns)
    width = LEFT + len(columns) * (COLUMN + GAP)
    height = scale.height + 40
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height:.0f}' {_FONT}>",
        f"<rect width='{width}' height='{height:.0f}' fill='white'/>",
        _text(12, 24, title, "font-size='15' font-weight='bold'"),
        *scale.drawn(width),
    ]
    for number, column in enumerate(columns):
        left = LEFT + number * (COLUMN + GAP)
        parts.append(_text(left, TOP - 14, column.name, "font-weight='bold'"))
        parts += _column(column, left, scale)
    note = "Heights are logarithmic, from one border to the next."
    parts.append(_text(12, height - 14, note, "fill='#777'"))
    return "\n".join([*parts, "</svg>", ""])


class _Scale:
    """Where addresses are."""

    def __init__(self, columns: Sequence[Column]) -> None:
        boxes = [box for column in columns for box in column.boxes]
        self._borders = sorted({0, *(at for box in boxes for at in (box.start, box.end))})
        self._places = [float(TOP)]
        for low, high in pairwise(self._borders):
            self._places.append(self._places[-1] + LEAST_HEIGHT + OCTAVE * math.log2(high - low))

    @property
    def height(self) -> float:
        return self._places[-1]

    def place(self, border: int) -> float:
        return self._places[bisect_left(self._borders, border)]

    def drawn(self, width: int) -> Iterator[str]:
        for address, y in zip(self._borders, self._places, strict=True):
            yield (
                f"<line x1='{LEFT - 64}' x2='{width}' y1='{y:.1f}' y2='{y:.1f}' "
                "stroke='#ddd' stroke-width='1'/>"
            )
            mono = "font-family='monospace' text-anchor='end'"
            yield _text(LEFT - 70, y + 4, f"0x{address:x}", mono)
        stretches = zip(pairwise(self._borders), pairwise(self._places), strict=True)
        for (low, high), (above, below) in stretches:
            size, y = about(high - low), (above + below) / 2 + 4
            yield _text(LEFT - 8, y, size, "font-size='10' fill='#777' text-anchor='end'")


def _column(column: Column, left: float, scale: _Scale) -> Iterator[str]:
    lanes = _lanes(column.boxes)
    width = max(COLUMN / max(1, len(lanes)), NARROWEST)
    for number, lane in enumerate(lanes):
        for box in lane:
            yield _box(box, left + number * width, width, scale)


def _lanes(boxes: Sequence[Box]) -> list[list[Box]]:
    """Share the boxes out so that no two of a lane overlap."""
    lanes: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: (box.start, -box.end)):
        lane = next((lane for lane in lanes if lane[-1].end <= box.start), None)
        if lane is None:
            lanes.append([box])
        else:
            lane.append(box)
    return lanes


def _box(box: Box, x: float, width: float, scale: _Scale) -> str:
    top, bottom = scale.place(box.start), scale.place(box.end)
    most = int((width - 8) / CHARACTER)
    label = box.label if len(box.label) <= most else box.label[: most - 1] + "…" if most > 2 else ""
    tip = f"{box.label}: 0x{box.start:x}-0x{box.end:x}, {about(box.end - box.start)}"
    return (
        f"<g><title>{escape(tip)}</title>"
        f"<rect x='{x:.1f}' y='{top:.1f}' width='{width - 1:.1f}' height='{bottom - top:.1f}' "
        f"fill='{box.colour}' stroke='#444' stroke-width='0.6'/>"
        f"{_text(x + 4, (top + bottom) / 2 + 4, label)}</g>"
    )


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {style}>{escape(text)}</text>"
