"""``--blame``: who is to blame for what a command has found."""

from __future__ import annotations

from typing import Any

import click

from harness.check.model import READY
from harness.check.verdict import Verdict
from harness.check.violation import Violation
from harness.debug.accuse import Accusation, accuse
from harness.debug.blame_text import accusation_json, accusation_text
from harness.machine.errors import MachineError
from harness.machine.spec import MachineSpec
from harness.report.run_table import About

blame_option = click.option(
    "--blame",
    is_flag=True,
    help="Boot what has findings again, and tell who wrote the words that are wrong.",
)


class Blamer:
    """Finds out about machines, each once, and only if it has findings."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], Accusation] = {}
        self._failed: dict[tuple[int, str], str] = {}

    def about(self, verdict: Verdict) -> About:
        """Return what tells of a machine's violations."""
        return self.of(verdict.spec, verdict.violations)

    def of(
        self, spec: MachineSpec, violations: tuple[Violation, ...], moment: str = READY
    ) -> About:
        """Return what tells of ``violations``, found at a ``moment`` of a boot of ``spec``."""
        accusation = self._find(spec, violations, moment)
        if accusation is None:
            reason = self._failed[id(spec), moment]
            first = violations[:1]
            return lambda violation: [f"no blame: {reason}"] if (violation,) == first else []
        doubts = [f"note: {doubt}" for doubt in accusation.doubts]

        def tell(violation: Violation) -> list[str]:
            lines = accusation_text(accusation, violation)
            return [*lines, *doubts] if violation in accusation.histories else lines

        return tell

    def json(self, verdict: Verdict) -> dict[str, Any]:
        """Return a list beside that of a machine's violations, and why if there is none."""
        return self.json_of(verdict.spec, verdict.violations)

    def json_of(
        self, spec: MachineSpec, violations: tuple[Violation, ...], moment: str = READY
    ) -> dict[str, Any]:
        """Return the same for ``violations`` of one machine."""
        accusation = self._find(spec, violations, moment)
        if accusation is None:
            return {"blame": None, "no_blame": self._failed[id(spec), moment]}
        return {"blame": accusation_json(accusation, violations)}

    def _find(
        self, spec: MachineSpec, violations: tuple[Violation, ...], moment: str
    ) -> Accusation | None:
        key = id(spec), moment
        if key not in self._known and key not in self._failed:
            try:
                self._known[key] = accuse(spec, violations, moment)
            except MachineError as error:
                self._failed[key] = str(error)
        return self._known.get(key)
