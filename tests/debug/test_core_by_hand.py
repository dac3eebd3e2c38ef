"""``harness gdb --core``: a saved guest under a real gdb, which can be looked at and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.guest import Guest
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from tests.cli.conftest import Run
from tests.debug.person import Person, person


@pytest.fixture(scope="module")
def saved(
    kernel: KernelImage, pool: Pool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Guest]]:
    with pool.boot(MachineSpec(kernel, 16 << 20)) as guest:
        guest.run_until_ready()
        guest.monitor.kmalloc(size=5000)
        guest.pause()
        core = tmp_path_factory.mktemp("core") / "x.core"
        guest.save_core(core)
        yield core, guest


@pytest.fixture(scope="module")
def gdb(saved: tuple[Path, Guest]) -> Iterator[Person]:
    with person("--core", str(saved[0])) as one:
        assert "neither run nor be changed" in one.begin()
        yield one


def test_registers_and_backtrace_are_the_saved_ones(gdb: Person, saved: tuple[Path, Guest]) -> None:
    _, guest = saved
    registers = guest.registers()
    for name in ("eip", "esp", "ebp", "eflags", "cr0", "cr3", "cr4"):
        assert int(gdb.ask(f"output/x ${name}"), 16) == getattr(registers, name)
    told = re.findall(r"^#\d+ .*?(\w+) \(", gdb.ask("bt"), re.MULTILINE)
    # gdb knows of inlined functions, and of callers whose frame is not set up yet.
    rest = iter(told)
    assert all(frame.function in rest for frame in guest.backtrace())


def test_memory_is_virtual(gdb: Person, saved: tuple[Path, Guest]) -> None:
    _, guest = saved
    for virtual in (0xF8400000, guest.kernel.symbol("zones"), 0xC0000FFC + 4):
        physical = guest.translate(virtual)
        assert physical is not None
        wanted = int.from_bytes(guest.ram.read(physical, 4), "little")
        assert int(gdb.ask(f"output/x *(unsigned *){virtual:#x}"), 16) == wanted
    assert "Cannot access memory at address 0x10" in gdb.ask("x/x 0x10")
    assert guest.translate(0xF8402000) is None
    assert "Cannot access memory at address 0xf8402000" in gdb.ask("x/8x 0xf8401ff0")


@pytest.mark.parametrize("line", ["check", "heap", "who 0xf8400000", "tables", "walk $esp", "map"])
def test_the_views_are_those_of_inspect(
    gdb: Person, harness: Run, saved: tuple[Path, Guest], line: str
) -> None:
    done = harness("inspect", "--core", saved[0], *line.split())
    assert done.returncode == 0, done.stderr
    assert gdb.ask(f"mm {line}") == done.stdout.rstrip("\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("set var zones[0].free_frames = 1", "Writing to memory is not allowed"),
        ("set $eax = $eax + 1", "Writing to registers is not allowed"),
        ("continue", "This guest was saved: it cannot run."),
        ("stepi", "This guest was saved: it cannot run."),
        ("mm reboot", "this guest was saved"),
        ("mm mark x", "this guest was saved"),
    ],
)
def test_nothing_is_changed_and_nothing_runs(gdb: Person, line: str, words: str) -> None:
    before = gdb.ask("output/x $eip")
    assert words in gdb.ask(line)
    assert gdb.ask("output/x $eip") == before


def test_a_core_is_compared_with_another(
    gdb: Person, harness: Run, saved: tuple[Path, Guest], tmp_path: Path
) -> None:
    core, guest = saved
    later = tmp_path / "later.core"
    guest.monitor.kmalloc(size=100)
    guest.pause()
    guest.save_core(later)
    done = harness("inspect", "--core", later, "diff", core)
    assert "bytes by the kernel's count: 5100, before 5000" in done.stdout
    assert "bytes by the kernel's count: 5000, before 5100" in gdb.ask(f"mm diff {later}")


def test_a_file_that_is_no_core(harness: Run, tmp_path: Path) -> None:
    (tmp_path / "x.core").write_bytes(b"\x7fELF" + bytes(1000))
    done = harness("gdb", "--core", tmp_path / "x.core", "--batch")
    assert done.returncode == 3
    assert "x.core: not a usable ELF core" in done.stderr


@pytest.mark.slow
def test_flags_that_do_not_go_with_it(harness: Run, saved: tuple[Path, Guest]) -> None:
    done = harness("gdb", "--core", saved[0], "--memory", "16M", "--batch")
    assert done.returncode == 2
    assert "takes no flags about a machine" in done.stderr
