"""What a machine amounts to in the end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from harness.check.summary import Summary
from harness.check.violation import Violation
from harness.machine.ending import Ending
from harness.machine.spec import MachineSpec

Word = Literal["good", "finding", "refused"]


@dataclass(frozen=True)
class Verdict:
    """One machine, judged."""

    spec: MachineSpec
    verdict: Word
    """``refused``: the kernel rightly turned the machine down."""
    ended: str
    """How the boot ended: a value of ``EndingKind``."""
    ending: Ending
    violations: tuple[Violation, ...] = ()
    summary: Summary | None = None
    """None when there was no state to look at."""
    seconds: float = 0.0
    """Wall-clock time from the request to the verdict."""
    thorough: bool = False
    """Whether earlier moments and the page tables' other readers were looked at as well."""
    refusal: str | None = None
    """Why the model agrees that the machine may be turned down."""

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as JSON values; sizes in bytes."""
        spec = self.spec
        return {
            "map": spec.map.name if spec.map else None,
            "memory": spec.memory,
            "boot": spec.boot.value,
            "cpu": spec.cpu,
            "fill": {"kind": spec.fill.kind.value, "seed": spec.fill.seed},
            "append": spec.append,
            "kernel": str(spec.kernel.path),
            "verdict": self.verdict,
            "ended": self.ended,
            "message": self.ending.message,
            "seconds": self.seconds,
            "refusal": self.refusal,
            "console": self.ending.console_tail,
            "backtrace": [str(frame) for frame in self.ending.backtrace],
            "registers": asdict(self.ending.registers) if self.ending.registers else None,
            "violations": [asdict(violation) for violation in self.violations],
            "summary": asdict(self.summary) if self.summary else None,
        }
