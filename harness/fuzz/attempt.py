"""One case booted and judged."""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from harness.check.inspect import Inspection
from harness.check.verdict import Word
from harness.check.verify import judge
from harness.check.violation import Violation
from harness.cover.edge_map import edge_map, edges_in
from harness.fuzz.case import Case
from harness.fuzz.features import features, tape_features
from harness.fuzz.group import group_of, what_stays
from harness.fuzz.possible import why_impossible
from harness.fuzz.settle import settled
from harness.image.kernel_image import KernelImage
from harness.machine.backtrace import Frame
from harness.machine.ending import Ending, EndingKind
from harness.machine.errors import QemuFailed
from harness.machine.guest import BOOT_TIMEOUT, Guest
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.workload.tape import TapeAbsent, TapeEnded, TapeError, TapeRefused
from harness.workload.verify import verify_tape

KILLED = "QEMU was killed by SIGKILL"
LOOKS = 16
"""At a kernel that hangs, to see what it is in all the time …"""
LOOK_SECONDS = 0.002
"""… between two of which it runs on so long."""


@dataclass(frozen=True)
class Attempt:
    """What became of a case."""

    case: Case
    word: Word | None
    """None when the case is impossible: no boot loader leaves memory like that."""
    features: frozenset[str] = frozenset()
    edges: frozenset[int] = frozenset()
    """Ways that it went through the kernel's code; numbers that mean nothing for another kernel."""
    violations: tuple[Violation, ...] = ()
    group: str | None = None
    """What is wrong and where, without numbers: two cases with one group show the same bug."""
    backtrace: tuple[Frame, ...] = ()
    """Where the kernel ended, if it did, innermost first."""
    impossible: str | None = None
    """Why it is, if it is."""
    operated: bool = False
    """Whether the kernel was given the case's operations: it is not, when all is wrong before."""
    qemu_died: bool = False


def attempt(
    case: Case,
    kernel: KernelImage,
    pool: Pool,
    look: Callable[[Guest], None] | None = None,
    timeout: float = BOOT_TIMEOUT,
) -> Attempt:
    """Boot a case and check everything; then, if it has a tape, run and verify that.

    ``look`` is shown the guest as it is in the end, paused unless QEMU is gone. A boot that is not
    ready after ``timeout`` CPU seconds hangs.
    Raise :class:`harness.machine.errors.MachineError` for a machine that cannot be started.
    """
    spec = case.spec(kernel)
    if (why := why_impossible(spec)) is not None:
        return Attempt(case, None, impossible=why)
    with suppress(QemuFailed):  # as when somebody kills it
        found = _boot(case, spec, pool, look, timeout)
        if not found.qemu_died:
            return found
    # A case that does it again is to blame; a QEMU that does not even start is not its doing.
    pool.boot(spec)
    try:
        found = _boot(case, spec, pool, look, timeout)
    except QemuFailed as error:
        violation = Violation("ending.qemu-died", f"QEMU failed: {error}", ("V10",))
        found = Attempt(
            case, "finding", violations=(violation,), group=violation.kind, qemu_died=True
        )
    if found.qemu_died and KILLED in found.violations[0].message:
        raise QemuFailed(
            f"{KILLED} twice, which no guest does: the host may have run out of memory; take "
            "fewer --jobs or less --memory, and go on with --resume"
        )
    return found


def _boot(
    case: Case,
    spec: MachineSpec,
    pool: Pool,
    look: Callable[[Guest], None] | None,
    timeout: float,
) -> Attempt:
    with pool.boot(spec) as guest:
        ending = guest.run_until_ready(timeout)
        verdict, inspection = judge(guest, ending)
        seen = _Seen(ending, verdict.violations, inspection, features(verdict, inspection))
        operated = False
        if case.steps and inspection is not None and not verdict.violations:
            operated = True
            seen = _run_tape(guest, case, seen, inspection)
        edges = _edges(guest, pool)
        backtrace = _backtrace(guest, seen.ending)
        group = group_of(seen.violations, backtrace, seen.inspection, guest.memory_map)
        if look is not None:
            if guest.qemu_alive:
                guest.pause()
            look(guest)
    return Attempt(
        case,
        "finding" if seen.violations else verdict.verdict,
        seen.features,
        edges,
        seen.violations,
        group,
        backtrace=tuple(seen.ending.backtrace),
        qemu_died=seen.ending.kind is EndingKind.QEMU_DIED,
        operated=operated,
    )


@dataclass(frozen=True)
class _Seen:
    """How far a guest came, and what was seen then."""

    ending: Ending
    violations: tuple[Violation, ...]
    inspection: Inspection | None
    features: frozenset[str]


def _run_tape(guest: Guest, case: Case, seen: _Seen, before: Inspection) -> _Seen:
    operations = settled(case.steps, before.state)
    try:
        ran = verify_tape(guest, operations, before=before)
    except TapeEnded as error:
        verdict, inspection = judge(guest, error.ending)
        return _Seen(error.ending, verdict.violations, inspection, seen.features)
    except (TapeAbsent, TapeRefused):
        return seen  # nobody told the kernel of it, or it lies where this kernel does not reach
    except TapeError as error:
        return replace(seen, violations=(Violation("tape.broken", str(error), ("V9", "V11")),))
    found = seen.features | tape_features(operations, ran)
    return _Seen(seen.ending, ran.violations, ran.after, found)


def _edges(guest: Guest, pool: Pool) -> frozenset[int]:
    """Return what the pool's observer saw; without one, what the kernel itself noted."""
    if pool.observer is not None:
        return pool.observer.seen()
    place = edge_map(guest.kernel)
    return frozenset() if place is None else edges_in(guest.ram, place)


def _backtrace(guest: Guest, ending: Ending) -> Sequence[Frame]:
    """Return where a guest ended; of one that hangs what stays the same while it runs on."""
    if ending.kind is not EndingKind.HANG:
        return ending.backtrace
    looks = [ending.backtrace]
    while len(looks) < LOOKS:
        guest.resume()
        select.select(guest.news, (), (), LOOK_SECONDS)
        guest.pause()
        looks.append(guest.backtrace())
    return what_stays(looks)
