"""Numbers as people write them."""

from __future__ import annotations

_STEPS = ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


def size(count: int) -> str:
    """Return bytes in the largest unit that leaves no fraction: ``64M``, ``3583M``, ``4097``.

    :func:`harness.machine.notation.parse_size` reads it back.
    """
    for step, unit in _STEPS:
        if count and count % step == 0:
            return f"{count // step}{unit}"
    return str(count)


def about(count: int) -> str:
    """Return bytes with one decimal, for tables: ``63.4 MiB``."""
    for step, unit in _STEPS:
        if count >= 1000 * step >> 10:
            return f"{count / step:.1f} {unit}iB"
    return f"{count} B"


def milliseconds(seconds: float) -> str:
    """Return a duration in ms, for tables."""
    return f"{seconds * 1000:.0f} ms"
