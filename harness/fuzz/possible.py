"""Whether a boot loader could have left a case's machine like that."""

from __future__ import annotations

from itertools import pairwise

from harness.machine.boot_direct import prepare
from harness.machine.errors import SpecError
from harness.machine.layout import extents
from harness.machine.limits import check_spec
from harness.machine.spec import BootPath, MachineSpec


def why_impossible(spec: MachineSpec) -> str | None:
    """Return why no loader leaves memory as ``spec`` asks, None when one could.

    What it puts there lies in RAM, and no two things in one place: a kernel that is confused by
    anything else is not to blame.
    """
    try:
        check_spec(spec)
        if spec.boot is not BootPath.DIRECT:
            return None  # a real loader does
        pieces = prepare(spec).pieces
    except SpecError as error:
        return str(error)
    taken = sorted((start, start + len(data)) for start, data in pieces if data)
    ram = extents(spec)
    for start, end in taken:
        if not any(place.start <= start and end <= place.end for place in ram):
            return f"0x{start:x}-0x{end:x} is to hold something, and is not RAM"
    for (_, end), (start, _) in pairwise(taken):
        if start < end:
            return f"two things are to lie at 0x{start:x}"
    return None
