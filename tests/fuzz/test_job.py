"""What workers do with a case that hangs: it is made small soon, and then waited for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.fuzz import job
from harness.fuzz.attempt import Attempt, attempt
from harness.fuzz.case import Case
from harness.fuzz.finding import Finding
from harness.fuzz.job import HANG, HANG_TIMEOUT, Shrink, do
from harness.fuzz.subject import Source, Subject
from harness.image.kernel_image import KernelImage
from harness.machine.guest import BOOT_TIMEOUT
from harness.machine.pool import Pool
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from tests.fuzz.bugs import waits_for_more_memory
from tests.kernel.planted import SourceCopy

pytestmark = pytest.mark.slow

MEMORY = 8 << 20
CROWDED = Case(
    MEMORY,
    MemoryMap((Region(0, 0x9F000, 1), Region(0xF0000, 0x10000, 2), Region(1 << 20, 7 << 20, 1))),
    append="tlb=full",
)
FASTER = 20
"""So many times sooner this kernel is known to hang: it has no other work."""


def make_smaller(first: Attempt, kernel: KernelImage, folder: Path, most: int) -> Finding:
    with Pool() as pool:
        found = do(Shrink(first, 0.0, folder, most), Subject(kernel, Source.NONE), pool)
    assert isinstance(found, Finding)
    return found


def test_a_hang_is_waited_for_once(
    tmp_path: Path, source_copy: SourceCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel, timeouts = waits_for_more_memory(source_copy), []

    def noting(*arguments: Any, timeout: float = BOOT_TIMEOUT) -> Attempt:
        timeouts.append(timeout)
        return attempt(*arguments, timeout=timeout / FASTER)

    with Pool() as pool:
        first = attempt(CROWDED, kernel, pool, timeout=HANG_TIMEOUT / FASTER)
    assert first.violations[0].kind == HANG
    monkeypatch.setattr(job, "attempt", noting)
    monkeypatch.setattr(job, "write_finding", lambda *_: None)
    found = make_smaller(first, kernel, tmp_path / "finding", 3)
    assert timeouts == [*[HANG_TIMEOUT] * (1 + found.shrunk.boots), BOOT_TIMEOUT]
    assert found.attempt.group == first.group
    assert "firmware_map_init" in str(first.group)
    assert len(found.shrunk.case.map.entries) < len(CROWDED.map.entries)


def test_what_is_only_slow_is_no_answer(
    tmp_path: Path, kernel: KernelImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here a map with less than three entries takes two seconds, this one for ever."""

    def slow(case: Case, *_: object, timeout: float = BOOT_TIMEOUT) -> Attempt:
        hangs = timeout < BOOT_TIMEOUT or len(case.map.entries) > 2
        return Attempt(case, None, group=f"{HANG} for ever" if hangs else None)

    monkeypatch.setattr(job, "attempt", slow)
    monkeypatch.setattr(job, "write_finding", lambda *_: None)
    found = make_smaller(slow(CROWDED), kernel, tmp_path / "finding", 99)
    assert found.attempt.group == f"{HANG} for ever"
    assert found.shrunk.case == CROWDED
