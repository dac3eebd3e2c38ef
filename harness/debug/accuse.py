"""Who is to blame for each thing that is wrong with a machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.check.inspect import inspect_guest
from harness.check.model import READY
from harness.check.violation import Violation
from harness.debug.blame import blame
from harness.debug.course import Course, record_course
from harness.debug.history import WORD, History
from harness.machine.guest import Guest
from harness.machine.spec import MachineSpec

MOST_VIOLATIONS = 25
"""Violations whose words are followed, the first ones: causes come first."""
MOST_WRITES = 100
"""Writes of each word that are looked at, the last ones."""


@dataclass(frozen=True)
class Accusation:
    """What was found out about the words behind violations."""

    histories: Mapping[Violation, History]
    """Of the violations that name a word in memory, and that were seen again."""
    unseen: frozenset[Violation]
    """Those that the recorded boot does not show: it took another path."""
    doubts: tuple[str, ...] = ()


def accuse(
    spec: MachineSpec,
    violations: Iterable[Violation],
    moment: str = READY,
    commands: tuple[str, ...] = (),
) -> Accusation:
    """Boot ``spec`` again, and find who wrote the words behind ``violations`` of it.

    They were found when the kernel was at ``moment``, and its monitor had been given ``commands``.
    All words are followed together. Raises like :func:`harness.debug.blame.blame`.
    """
    wanted = [one for one in violations if one.word is not None][:MOST_VIOLATIONS]
    if not wanted:
        return Accusation({}, frozenset())
    until = spec.kernel.description.moments.get(moment)
    course = Course(until, commands)
    recording, again = record_course(spec, course, lambda guest: _look(guest, moment))
    seen = [one for one in wanted if one in again]
    words = list(dict.fromkeys(_word(one) for one in seen))
    found = blame(recording, words, MOST_WRITES) if words else None
    by_word = {history.physical: history for history in found.histories} if found else {}
    return Accusation(
        {one: by_word[_word(one)] for one in seen},
        frozenset(wanted) - again,
        found.doubts if found else (),
    )


def _look(guest: Guest, moment: str) -> frozenset[Violation]:
    ended = guest.look()
    if ended is not None:
        return frozenset()
    return frozenset(inspect_guest(guest, moment).violations)


def _word(violation: Violation) -> int:
    assert violation.word is not None
    return violation.word // WORD * WORD
