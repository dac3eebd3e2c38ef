"""A finding's folder: whole, blamed, in words and drawn, whatever happens while it is written."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.check.inspect import inspect_guest
from harness.check.violation import Violation
from harness.debug import accuse
from harness.fuzz.attempt import attempt
from harness.fuzz.case import Case
from harness.fuzz.culprit import why_not_blamed
from harness.fuzz.finding import CASE, CORE, PICTURE, TEXT, Finding, note_finding, write_finding
from harness.fuzz.finding_text import PROPERTIES, finding_text
from harness.fuzz.second_opinion import on_path
from harness.fuzz.shrink import Shrunk
from harness.image.kernel_image import KernelImage
from harness.machine.errors import MachineTimeout
from harness.machine.pool import Pool
from harness.machine.saved_guest import load_guest
from harness.machine.spec import BootPath, Module
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.workload.operation import Kind, operation
from tests.fuzz.bugs import rounds_the_start_down
from tests.fuzz.plants import plants
from tests.kernel.planted import SourceCopy

pytestmark = pytest.mark.slow

MEMORY = 16 << 20
MIB = 1 << 20
ODD = MemoryMap((Region(0, 0x9F000, 1), Region(MIB, 6 * MIB, 1), Region(8 * MIB + 9, MIB, 1)))
PLAIN = MemoryMap(ODD.entries[:2])


@dataclass
class Writer:
    """Writes findings as a campaign does."""

    pool: Pool
    folder: Path

    def write(self, case: Case, kernel: KernelImage) -> Finding:
        first = attempt(case, kernel, self.pool)
        assert first.group is not None
        finding = Finding(first.group, first, Shrunk(case, 7), first, 1.5)
        note_finding(self.folder, first, kernel)
        write_finding(self.folder, finding, kernel, self.pool)
        return finding

    def text(self) -> str:
        return (self.folder / TEXT).read_text()

    def words(self) -> str:
        return " ".join(self.text().split())


@pytest.fixture
def writer(pool: Pool, tmp_path: Path) -> Writer:
    return Writer(pool, tmp_path / "finding")


def test_it_tells_who_wrote_what_is_wrong_and_draws_it(
    writer: Writer, source_copy: SourceCopy
) -> None:
    wrong = rounds_the_start_down(source_copy)
    writer.write(Case(MEMORY, ODD, modules=(Module(b"x", "one"),)), wrong)
    text = writer.text()
    assert text.startswith("firmware-map.extra: usable at the end\n==")
    assert re.search(r"the word at physical 0x\w+ was last written by \w+ \(\S+\.c:\d+\)", text)
    assert "That breaks V1 (nothing but whole frames" in writer.words()
    assert "nobody is blamed" not in text
    drawn = ElementTree.fromstring((writer.folder / PICTURE).read_text())
    labels = {element.text for element in drawn.iter() if element.tag.endswith("text")}
    assert labels >= {"firmware-map.extra", "kernel image", "module 0", "0x800009", "0x801000"}


def test_what_operations_did_is_blamed_and_kept_in_the_core(
    writer: Writer, source_copy: SourceCopy
) -> None:
    right = "zone->free_frames -= 1u << order;\n    zone->allocations++;"
    wrong = source_copy.plant(
        "mm/frames/buddy.c", right, "zone->free_frames -= order < 2 ? 1u << order : 4;\n"
    )
    steps = (operation(Kind.FRAMES_ALLOC, 1, 8), operation(Kind.FRAMES_ALLOC, 2, 1))
    finding = writer.write(Case(MEMORY, PLAIN, steps=steps), wrong)
    assert finding.group.startswith("free-lists.frames-counter")
    assert "goes wrong when memory is asked for and given back, on a machine" in writer.words()
    by = r"last written by \w+ \(\S*mm/frames/buddy\.c:\d+\).*\n.*called from .*\btape_run\b"
    assert re.search(by, writer.text()), writer.text()[-3000:]
    kept = inspect_guest(load_guest(writer.folder / CORE)).violations
    assert {one.kind for one in kept} >= {"free-lists.frames-counter"}


def test_what_is_wrong_at_ready_is_not_blamed_on_operations(
    writer: Writer, source_copy: SourceCopy
) -> None:
    """Each operation changes the counter, which was wrong before: the boot is to blame."""
    right = "zone->free_frames += 1u << order;"
    wrong = source_copy.plant("mm/frames/buddy.c", right, right.replace("<<", "<< !order <<"))
    finding = writer.write(Case(MEMORY, PLAIN, steps=(operation(Kind.FRAMES_ALLOC, 1, 8),)), wrong)
    assert finding.group.startswith("free-lists.frames-counter")
    by = r"last written by \w+ \(\S*mm/frames/buddy\.c:\d+\).*\n.*called from .*\bmm_init\b"
    assert re.search(by, writer.text()), writer.text()[-3000:]
    assert "tape_run" not in writer.text()
    assert "boots, and its memory manager is wrong, on a machine" in writer.words()


def test_a_panic_is_told_by_its_backtrace(writer: Writer, source_copy: SourceCopy) -> None:
    wrong = source_copy.plant(
        "mm/frames/buddy.c", "    zone->frees++;", "    zone->frees++;\n    ASSERT(order != 3);"
    )
    steps = (operation(Kind.FRAMES_ALLOC, 1, 8), operation(Kind.FRAMES_FREE, 1, 8))
    writer.write(Case(MEMORY, PLAIN, steps=steps), wrong)
    text = writer.text()
    assert "The kernel panicked: assertion failed: order != 3" in writer.words()
    # Its last line has come when it is paused: it may still be busy with that one's end.
    frames = (
        r"Where the kernel was, innermost first:\n(  0x.*\n)*  0x\w+ panic\+.*\n  0x\w+ buddy_free"
    )
    assert re.search(frames, text), text
    assert "nobody is blamed: nothing that is wrong stands in one known word" in text


def test_what_does_not_show_again_is_not_told_by_what_else_is_wrong(
    writer: Writer, source_copy: SourceCopy
) -> None:
    wrong = rounds_the_start_down(source_copy)
    first = attempt(Case(MEMORY, ODD), wrong, writer.pool)
    other = Violation("frames.leaked", "something else", ("V3",))
    again = replace(first, violations=(other,), group="frames.leaked: nobody")
    finding = Finding(str(first.group), first, Shrunk(first.case, 20), again, 1.5)
    text = " ".join(finding_text(finding, writer.folder, wrong, {}, ()).split())
    assert "did not show it again, after 20 others had been tried: it may depend" in text
    assert first.violations[0].kind in text
    assert "something else" not in text


def test_a_tape_is_said_to_be_a_module(writer: Writer, source_copy: SourceCopy) -> None:
    """Here its string is not kept, which is seen and blamed before any operation is run."""
    [plant] = [plant for plant in plants() if plant.name == "module-strings-not-kept"]
    allocate = tuple(operation(Kind.HEAP_ALLOC, slot=0, size=1))
    writer.write(Case(MEMORY, PLAIN, steps=(allocate,)), plant.build(source_copy))
    assert "it took another path" not in writer.words()
    assert "module 0: the tape, with the operations below" in writer.words()


def test_blame_that_fails_costs_nothing_else(
    writer: Writer, source_copy: SourceCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        assert (writer.folder / CASE).exists()
        raise MachineTimeout("the replay came to no end")

    monkeypatch.setattr(accuse, "record_course", fail)
    writer.write(Case(MEMORY, ODD), rounds_the_start_down(source_copy))
    assert "nobody is blamed: the replay came to no end" in writer.text()
    assert "firmware-map.extra: frame 0x800" in writer.text()


def test_nobody_is_blamed_for_a_boot_through_firmware(kernel: KernelImage) -> None:
    violation = Violation("frames.leaked", "frame 5 is lost", word=0x1000)
    case = Case(MEMORY, PLAIN)
    assert why_not_blamed(case, kernel, [violation]) is None
    other, _ = on_path(case, BootPath.ISO)
    assert "cannot be recorded" in str(why_not_blamed(other, kernel, [violation]))


def test_properties_are_those_of_the_documentation() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "invariants.md").read_text().lower()
    for name, words in PROPERTIES.items():
        row = next(
            line for line in documented.splitlines() if line.startswith(f"| {name.lower()} ")
        )
        assert words.lower() in row
