"""A guest that is decoded, judged and compared with itself while it runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from harness.check.changes import Change
from harness.check.checked_guest import CheckedGuest, CheckFailed
from harness.check.difference import Difference
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.errors import GuestEnded
from harness.machine.machine import Machine
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec

MEMORY = 16 << 20
PAGE = 4096


@pytest.fixture
def guest(kernel: KernelImage, pool: Pool) -> Iterator[CheckedGuest]:
    """A guest at its prompt."""
    with CheckedGuest(pool.boot(MachineSpec(kernel, MEMORY))) as checked:
        assert checked.run_until_ready().kind is EndingKind.READY
        yield checked


def test_it_is_the_guest_that_it_is_made_of(kernel: KernelImage, pool: Pool) -> None:
    plain = pool.boot(MachineSpec(kernel, MEMORY))
    checked = CheckedGuest(plain)
    plain.run_until_ready()
    with pytest.raises(GuestEnded):
        checked.monitor.command("crash panic")
    ended = plain.look()
    assert ended is not None
    assert ended.kind is EndingKind.PANIC
    assert checked.look() is ended


def test_looking_lets_the_guest_go_on_when_it_did_before(guest: CheckedGuest) -> None:
    for _ in range(3):
        assert guest.state().moment == "ready"
        assert guest.monitor.command("help").ok
    assert "running" in guest.qemu("info status")
    guest.pause()
    guest.state()
    assert "paused" in guest.qemu("info status")


def test_a_sound_guest_passes_and_says_what_was_found(guest: CheckedGuest) -> None:
    found = guest.check()
    assert found.violations == ()
    assert 0 < found.summary.free_bytes < MEMORY


def test_every_violation_stands_in_the_error(guest: CheckedGuest) -> None:
    physical = guest.monitor.require("alloc 0").number("physical")
    table, page = guest.kernel.types.variable("mem_map"), guest.kernel.types.lookup("struct page")
    base = guest.state().page_tables.mappings[0]
    offset = int(base["virtual"]) - int(base["physical"])
    array = int.from_bytes(guest.ram.read(table[0] - offset, 4), "little") - offset
    element = array + physical // PAGE * page.size
    guest.ram.write(element, bytes(page.size))
    guest.ram.write(array + page.size * (physical // PAGE + 1), bytes(page.size))
    with pytest.raises(CheckFailed) as caught:
        guest.check()
    violations = caught.value.violations
    assert len(violations) > 1
    text = str(caught.value)
    assert text.startswith(f"{len(violations)} violations of what must be true of memory:")
    assert all(one.message in text for one in violations)
    assert f"0x{physical // PAGE:x}" in text


def test_a_difference_names_what_the_command_did(guest: CheckedGuest) -> None:
    earlier = guest.state()
    assert not guest.diff(earlier)
    assert str(guest.diff(earlier)) == "nothing has changed"
    physical = guest.monitor.require("alloc 3").number("physical")
    first = physical // PAGE
    frames = (
        f"frames 0x{first:x}-0x{first + 7:x} (8, "
        f"physical 0x{physical:x}-0x{physical + 8 * PAGE - 1:x}) are"
    )
    text = str(guest.diff(earlier)).splitlines()
    assert f"free lists buddy: {frames} no longer free" in text
    assert f"frame table: {frames} held now" in text
    guest.monitor.require(f"free {physical:#x} 3")
    assert not guest.diff(earlier)


@pytest.mark.parametrize("preset", ["mm=helios", "mm=ferrite", "mm=apoptos", "mm=oct"])
def test_a_block_of_every_heap_comes_and_goes(kernel: KernelImage, pool: Pool, preset: str) -> None:
    with CheckedGuest(pool.boot(MachineSpec(kernel, MEMORY, append=preset))) as guest:
        guest.run_until_ready()
        # What the first block brings into being stays.
        first = guest.monitor.require("heap alloc 3000").number("virtual")
        guest.monitor.require(f"heap free {first:#x}")
        earlier = guest.state()
        virtual = guest.monitor.require("heap alloc 3000").number("virtual")
        assert [one for one in _of_heaps(guest.diff(earlier)) if one.message.endswith(" is new")]
        guest.monitor.require(f"heap free {virtual:#x}")
        assert _of_heaps(guest.diff(earlier)) == []


def _of_heaps(found: Difference) -> list[Change]:
    return [one for one in found if one.structure.startswith(("heap ", "caches "))]


def test_at_an_early_moment_only_what_lives_then_is_decoded(
    kernel: KernelImage, pool: Pool
) -> None:
    guest = CheckedGuest(pool.boot(MachineSpec(kernel, MEMORY)))
    guest.stop_before(kernel.description.moments["early"])
    guest.check("early")
    earlier = guest.state("early")
    assert earlier.bitmaps
    assert earlier.free_lists == ()
    assert not guest.diff(earlier)


def test_a_guest_whose_qemu_is_gone_says_so(kernel: KernelImage) -> None:
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        guest = CheckedGuest(machine.boot())
        guest.run_until_ready()
        process = guest._vm.process
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(GuestEnded) as caught:
            guest.state()
    assert caught.value.ending.kind is EndingKind.QEMU_DIED
