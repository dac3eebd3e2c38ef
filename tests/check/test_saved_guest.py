"""Guests that are saved to a core are, read back, what they were: to decoders and to checks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.check.checked_guest import CheckedGuest
from harness.check.inspect import inspect_guest
from harness.image.description import Description
from harness.image.kernel_image import KernelImage
from harness.machine.core_file import OWNER, NoteType
from harness.machine.ending import EndingKind
from harness.machine.errors import GuestEnded
from harness.machine.pool import Pool
from harness.machine.saved_guest import CoreError, load_guest
from harness.machine.spec import BootPath, Fill, FillKind, MachineSpec, Module
from harness.ram.core_notes import Note, read_notes
from harness.ram.core_writer import write_core
from harness.ram.mapped import Extent
from harness.ram.protocol import RamError
from harness.report.state_json import state_json

MEMORY = 16 << 20
GIB = 1 << 30


def _booted(kernel: KernelImage, pool: Pool, **spec: Any) -> CheckedGuest:
    guest = CheckedGuest(pool.boot(replace(MachineSpec(kernel, MEMORY), **spec)))
    ending = guest.run_until_ready()
    assert ending.kind is EndingKind.READY, str(ending)
    return guest


@pytest.mark.parametrize("path", list(BootPath))
def test_a_saved_guest_is_what_it_was(
    kernel: KernelImage, pool: Pool, tmp_path: Path, path: BootPath
) -> None:
    modules = (Module(b"contents" * 1000, "module one"),)
    guest = _booted(kernel, pool, boot=path, modules=modules)
    guest.monitor.heap_alloc(size=5000)
    guest.save_core(tmp_path / "x.core")
    live = guest.inspect()
    assert guest.monitor.command("help").ok  # it goes on
    saved = load_guest(tmp_path / "x.core")
    again = inspect_guest(saved, saved.moment)
    assert again.violations == live.violations == ()
    assert state_json(again.state) == state_json(live.state)
    assert again.summary == live.summary
    assert saved.ram.ranges == guest.ram.ranges
    assert saved.memory_map == guest.memory_map
    assert [one.data for one in saved.placements] == [one.data for one in guest.placements]
    assert saved.kernel.build_id == kernel.build_id
    assert saved.kernel.description == kernel.description
    assert saved.machine["memory"] == MEMORY
    assert saved.machine["boot"] == path.value


def test_what_was_wrong_is_still_wrong(kernel: KernelImage, pool: Pool, tmp_path: Path) -> None:
    guest = _booted(kernel, pool)
    text = next(segment for segment in kernel.segments if segment.executable)
    guest.ram.write(text.physical + len(text.data) - 1, b"\x17")
    guest.save_core(tmp_path / "x.core")
    saved = load_guest(tmp_path / "x.core")
    violations = inspect_guest(saved).violations
    assert [one.kind for one in violations] == ["contents.text"]
    assert violations == guest.inspect().violations


def test_a_guest_at_an_early_moment_and_one_that_panicked(
    kernel: KernelImage, pool: Pool, tmp_path: Path
) -> None:
    guest = pool.boot(MachineSpec(kernel, MEMORY))
    guest.stop_before(kernel.description.moments["early"])
    guest.save_core(tmp_path / "early.core")
    saved = load_guest(tmp_path / "early.core")
    assert saved.moment == "early"
    assert inspect_guest(saved, "early").violations == ()
    guest = _booted(kernel, pool)
    with pytest.raises(GuestEnded):
        guest.monitor.command("crash panic")
    guest.save_core(tmp_path / "panic.core")
    saved = load_guest(tmp_path / "panic.core")
    assert saved.moment == "ready"
    assert kernel.function_at(saved.registers().eip) is not None


def test_memory_beyond_4_gib_that_nobody_touched_takes_no_room(
    kernel: KernelImage, pool: Pool, tmp_path: Path
) -> None:
    guest = _booted(kernel, pool, memory=5 * GIB, fill=Fill(FillKind.ZERO))
    path = tmp_path / "x.core"
    guest.save_core(path)
    assert path.stat().st_size > 5 * GIB
    assert path.stat().st_blocks * 512 < 256 << 20
    saved = load_guest(path)
    assert saved.ram.ranges == guest.ram.ranges
    assert saved.ram.ranges[-1].stop > 4 * GIB
    assert inspect_guest(saved).violations == ()


def test_another_description_can_be_taken(kernel: KernelImage, pool: Pool, tmp_path: Path) -> None:
    _booted(kernel, pool).save_core(tmp_path / "x.core")
    saved = load_guest(tmp_path / "x.core", Description.none())
    state = inspect_guest(saved).state
    assert state.free_lists == ()
    assert len(state.page_tables.mappings)


def test_a_kernel_without_a_description_can_be_saved(
    kernel: KernelImage, pool: Pool, tmp_path: Path
) -> None:
    bare = replace(kernel, description=Description.none())
    guest = pool.boot(MachineSpec(bare, MEMORY))
    assert guest.run_until_ready(timeout=1.0).alive
    guest.save_core(tmp_path / "x.core")
    assert load_guest(tmp_path / "x.core").kernel.description == Description.none()


@pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed")
def test_gdb_reads_the_same_registers_and_memory(
    kernel: KernelImage, pool: Pool, tmp_path: Path
) -> None:
    guest = _booted(kernel, pool)
    guest.pause()
    guest.save_core(tmp_path / "x.core")
    physical = kernel.segments[0].physical
    command = ["gdb", "-nx", "-batch", "-ex", f"core {tmp_path / 'x.core'}"]
    command += ["-ex", "p/x $eip", "-ex", "p/x $esp", "-ex", f"x/1xw {physical:#x}"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    registers = guest.registers()
    word = int.from_bytes(guest.ram.read(physical, 4), "little")
    for value in (f"{registers.eip:#x}", f"{registers.esp:#x}", f"0x{word:08x}"):
        assert value in printed.stdout, printed


def test_a_core_is_there_whole_or_not_at_all(
    kernel: KernelImage, pool: Pool, tmp_path: Path
) -> None:
    guest = _booted(kernel, pool)
    with pytest.raises(OSError, match="No such file"):
        guest.save_core(tmp_path / "missing" / "x.core")
    guest.save_core(tmp_path / "x.core")
    assert [path.name for path in tmp_path.iterdir()] == ["x.core"]


@pytest.fixture
def spoilt(kernel: KernelImage, pool: Pool, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a core with other notes."""
    _booted(kernel, pool).save_core(tmp_path / "good.core")
    good = read_notes(tmp_path / "good.core", OWNER)

    def spoil(change: Callable[[dict[str, Any]], object], drop: int | None = None) -> Path:
        document = json.loads(good[0].contents)
        change(document)
        notes = [Note(OWNER, NoteType.GUEST, json.dumps(document).encode()), *good[1:]]
        path = tmp_path / "spoilt.core"
        with (tmp_path / "good.core").open("rb") as source, path.open("wb", buffering=0) as file:
            kept = [note for note in notes if note.type != drop]
            write_core(file, source.fileno(), [Extent(0, 4096, 0)], kept)
        return path

    return spoil


@pytest.mark.parametrize(
    ("change", "drop", "words"),
    [
        (lambda d: d.update(format=2), None, "format 2; this program reads 1"),
        (lambda d: d.update(moment=7), None, "moment is not a string"),
        (lambda d: d.pop("registers"), None, "registers is not an object"),
        (lambda d: d["registers"].update(cr3=-1), None, "cr3 is not a number of 64 bits"),
        (lambda d: d["registers"].update(cr3=True), None, "cr3 is not a number"),
        (lambda d: d["placements"].append({}), None, "placements is not as long as"),
        (lambda d: d["placements"][0].update(start=None), None, "start is not a number"),
        (lambda d: d["map"].update(entries=[{"base": -1}]), None, "map"),
        (lambda d: d["machine"].update(kernel=[]), None, "kernel is not an object"),
        (lambda d: None, NoteType.KERNEL, "the kernel is missing"),
        (lambda d: None, NoteType.GUEST, "saved by another program"),
    ],
)
def test_a_damaged_core_is_told_so(
    spoilt: Callable[..., Path],
    change: Callable[[dict[str, Any]], object],
    drop: int | None,
    words: str,
) -> None:
    path = spoilt(change, drop)
    with pytest.raises(CoreError, match=words) as caught:
        load_guest(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "contents", "words"),
    [
        (NoteType.KERNEL, b"\x7fELF", "of the kernel: kernel.elf"),
        (NoteType.DESCRIPTION, b"name = 7", "of the kernel: harness.toml:1: name: must be"),
        (NoteType.DESCRIPTION, b"\xff", "of the kernel: harness.toml: not UTF-8"),
    ],
)
def test_a_kernel_that_cannot_be_read_is_told_by_the_core(
    kernel: KernelImage, pool: Pool, tmp_path: Path, kind: int, contents: bytes, words: str
) -> None:
    _booted(kernel, pool).save_core(tmp_path / "good.core")
    notes = [
        Note(OWNER, note.type, contents) if note.type == kind else note
        for note in read_notes(tmp_path / "good.core", OWNER)
    ]
    path = tmp_path / "spoilt.core"
    with (tmp_path / "good.core").open("rb") as source, path.open("wb", buffering=0) as file:
        write_core(file, source.fileno(), [Extent(0, 4096, 0)], notes)
    with pytest.raises(CoreError, match=re.escape(f"{path}: what it holds {words}")):
        load_guest(path)


@pytest.mark.parametrize("size", [0, 3, 60, 200, 100_000])
def test_a_file_that_was_cut_off_is_told_so(
    kernel: KernelImage, pool: Pool, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "x.core"
    _booted(kernel, pool).save_core(path)
    with path.open("r+b") as file:
        file.truncate(size)
    with pytest.raises((CoreError, RamError), match=r"x\.core: "):
        load_guest(path)
