"""The kernel's own table of physical memory: what it took out of the firmware's map."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from harness.check.findings import Findings
from harness.check.model import FRAME_LIMIT, Model
from harness.check.runs import Mask
from harness.check.violation import Violation
from harness.decode.belief.frames import MapRegion
from harness.decode.state import MemoryState


def check_firmware_map(model: Model, state: MemoryState) -> tuple[Violation, ...]:
    """Report regions that are malformed, and frames that are usable in only one of the views.

    ``model`` has worked out the same from the map that the kernel was given.
    """
    if state.firmware_map is None:
        return ()
    findings = Findings("firmware-map")
    _check_regions(findings, state.firmware_map)
    claimed = _usable(state.firmware_map, model.frames)
    usable = np.zeros(len(claimed), dtype=np.bool_)
    usable[: model.frames] = model.usable
    if not np.array_equal(claimed, usable):
        what = "usable in the kernel's own map, but not usable RAM"
        findings.add_frames("extra", claimed & ~usable, what, ("V1",))
        what = "usable RAM, but not in the kernel's own map"
        findings.add_frames("missing", usable & ~claimed, what, ("V3",))
    return findings.result()


def _check_regions(findings: Findings, regions: tuple[MapRegion, ...]) -> None:
    for index, region in enumerate(regions):
        fault = _fault(region)
        if fault is not None:
            message = (
                f"region {index} of the kernel's own map begins at frame 0x{region.start:x} "
                f"and ends before frame 0x{region.end:x}: it {fault}"
            )
            findings.add("region", message, ("V5",))
    for index, (before, after) in enumerate(pairwise(regions), start=1):
        if after.start < before.end:
            message = (
                f"region {index} of the kernel's own map begins at frame 0x{after.start:x}, "
                f"but the one before it ends at frame 0x{before.end:x}: not ascending and disjoint"
            )
            findings.add("order", message, ("V5",))


def _fault(region: MapRegion) -> str | None:
    if region.start >= region.end:
        return "is empty"
    if region.start < 0 or region.end > FRAME_LIMIT:
        return f"leaves the 0x{FRAME_LIMIT:x} frames below 4 GiB"
    return None


def _usable(regions: tuple[MapRegion, ...], frames: int) -> Mask:
    """Return for each frame, at least of ``frames``, whether a usable region has it."""
    chosen = [
        (max(region.start, 0), min(region.end, FRAME_LIMIT)) for region in regions if region.usable
    ]
    mask = np.zeros(max([frames, *(end for _, end in chosen)]), dtype=np.bool_)
    for start, end in chosen:
        mask[start:end] = True
    return mask
