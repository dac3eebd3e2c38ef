"""The bitmap of held frames: it must have a bit for every frame that can be held, and no more."""

from __future__ import annotations

import numpy as np

from harness.check.findings import Findings
from harness.check.model import Model
from harness.check.violation import Violation
from harness.decode.state import MemoryState


def check_held(model: Model, state: MemoryState) -> tuple[Violation, ...]:
    """Report usable frames without a bit, and bits that are set beyond the last frame.

    What the bits say of the frames that there are is a matter of the ledger.
    """
    findings = Findings("held")
    if state.held is None:
        return ()
    count = len(state.held.taken)
    without = model.allocatable
    without[:count] = False
    what = "usable, but beyond the bitmap of held frames"
    findings.add_frames("extent", without, what, ("V3",))
    beyond = np.zeros(max(count, model.frames), dtype=np.bool_)
    beyond[model.frames : count] = state.held.taken[model.frames :]
    findings.add_frames("beyond", beyond, "noted as held, but beyond the last frame", ("V1",))
    return findings.result()
