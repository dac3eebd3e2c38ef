"""The views on a real guest, healthy and broken; what they must say comes from elsewhere."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from harness.check.observation import NotToBeSeen, Observation
from harness.image.kernel_image import KernelImage
from harness.machine.guest import Guest
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec, Module
from harness.report.views.registry import VIEWS, answer
from harness.report.views.view import Answer, BadArguments
from tests.check.surgeon import PAGE, Surgeon

MEMORY = 64 << 20
MODULE = Module(bytes(range(256)) * 33, "a module")


@dataclass
class Shown:
    """A paused guest with a block of kmalloc's, a held block, and somebody to break it."""

    guest: Guest
    surgeon: Surgeon
    block: int
    """Virtual address of its header."""
    held: int
    """Physical."""

    def __call__(self, name: str, *arguments: str) -> Answer:
        return answer(Observation(self.guest), name, arguments)

    def text(self, line: str) -> str:
        name, *arguments = line.split()
        return self(name, *arguments).text


@pytest.fixture(scope="module")
def patient(kernel: KernelImage, pool: Pool) -> Iterator[Shown]:
    with pool.boot(MachineSpec(kernel, MEMORY, modules=(MODULE,))) as guest:
        guest.run_until_ready()
        held = guest.monitor.alloc(order=1)
        block = guest.monitor.kmalloc(size=5000)
        guest.pause()
        surgeon = Surgeon(kernel, guest.ram, guest.registers().cr3 & ~0xFFF)
        yield Shown(guest, surgeon, block - surgeon.size("struct block_header"), held)


@pytest.fixture
def shown(patient: Shown) -> Iterator[Shown]:
    """The same guest for each test: what it breaks is healed."""
    yield patient
    patient.surgeon.heal()


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found is not None, f"no {pattern!r} in:\n{text}"
    return int(found[1], 0)


def test_a_walk_ends_where_qemu_s_does(shown: Shown) -> None:
    addresses = [shown.block, shown.guest.kernel.symbol("mem_map"), 0xC0000000, 0x1234, 0xC0800123]
    for virtual in addresses:
        text = shown.text(f"walk {virtual:#x}")
        physical = shown.guest.translate(virtual)
        if physical is None:
            assert "ends here: not present" in text
        else:
            assert number(r"\n  physical (0x\w+)", text) == physical


def test_a_walk_s_entries_are_those_in_memory(shown: Shown) -> None:
    text = shown.text(f"walk {shown.block:#x}")
    entries = re.findall(r"at physical (0x\w+): (0x\w+)", text)
    assert len(entries) == 2
    for address, value in entries:
        said = shown.guest.qemu(f"xp /1wx {address}")
        assert int(said.split(":")[1], 0) == int(value, 0)


def test_a_walk_that_a_cleared_bit_stops(shown: Shown) -> None:
    where = shown.surgeon.entry(shown.block)
    shown.surgeon.write(where, shown.surgeon.word(where) & ~1)
    text = shown.text(f"walk {shown.block:#x}")
    assert text.endswith("ends here: not present")
    assert "P=0 software=0x" in text


def test_a_symbol_and_an_expression_are_addresses(shown: Shown) -> None:
    kernel = shown.guest.kernel
    zones = kernel.types.variable("zones")[0]
    size = shown.surgeon.size("struct zone")
    for words, wanted in (
        ("kernel_main", kernel.symbol("kernel_main")),
        ("&zones[1]", zones + size),
        ("zones + 1", zones + size),
        ("$esp", shown.guest.registers().esp),
        ("0xc0000010", 0xC0000010),
    ):
        assert shown("walk", *words.split()).json["virtual"] == wanted


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("walk", "required: ADDRESS; usage: walk ADDRESS"),
        ("walk nonsuch", "'nonsuch' is no address here: .* no 'nonsuch'"),
        ("walk $xmm9", "no register \\$xmm9"),
        ("walk 1 +", "is no address here"),
        ("walk *(int*)0x5", "is no address here: virtual 0x5: not mapped"),
        ("tables 2-1", "0x2 is not below 0x1"),
        ("tables --filter q", "'q' is none of w, x, u, g, large"),
        ("tables --each-level --sort physical", "takes neither"),
        ("who -p -v 1", "not allowed with"),
        ("nonsuch", "no view 'nonsuch'; there are map, tables"),
        ("diff", "no earlier state"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(shown: Shown, line: str, words: str) -> None:
    with pytest.raises((BadArguments, NotToBeSeen), match=words):
        shown.text(line)


def test_the_map_counts_every_usable_frame_once(shown: Shown) -> None:
    json = shown("map").json
    usable = sum(len(run) for run in shown.guest.memory_map.usable_frames())
    assert sum(sum(region["frames"].values()) for region in json) == usable
    partial = sum(end - start for region in json for start, end in region["partial"])
    assert partial == shown.guest.memory_map.usable_bytes - usable * PAGE
    modules = [one for one in shown.guest.placements if one.length == len(MODULE.data)]
    assert len(modules) == 1
    assert f"the boot loader's {modules[0].name}" in shown.text("map")


def test_the_tables_hold_every_page_that_qemu_maps(shown: Shown) -> None:
    pages = sum((one["end"] - one["start"]) for one in shown("tables").json)
    mapped = re.findall(r"^(\w+)-(\w+) ", shown.guest.qemu("info mem"), re.MULTILINE)
    assert pages == sum(int(end, 16) - int(start, 16) for start, end in mapped)


def test_the_tables_can_be_chosen_and_sorted(shown: Shown) -> None:
    writable, fixed = (shown("tables", "--filter", word).json for word in ("w", "!w"))
    assert {one["rights"][1] for one in writable} == {"w"}
    assert {one["rights"][1] for one in fixed} == {"-"}
    assert sorted(map(str, writable + fixed)) == sorted(map(str, shown("tables").json))
    by_address = [one["physical"] for one in shown("tables", "--sort", "physical").json]
    assert by_address == sorted(by_address)
    [one] = shown("tables", f"{shown.block:#x}").json
    assert one["start"] <= shown.block < one["end"]
    large = shown("tables", "--filter", "large").json
    assert {one["page_size"] for one in large} == {4 << 20}


def test_each_level_shows_the_entry_that_the_walk_uses(shown: Shown) -> None:
    text = shown.text(f"tables --each-level {shown.block:#x}-{shown.block + 1:#x}")
    for address, value in re.findall(r"at physical 0x0*(\w+): 0x0*(\w+)", shown.text(
        f"walk {shown.block:#x}"
    )):  # fmt: skip
        assert f"0x{value} at physical 0x{address}" in text


def who(shown: Shown, words: str) -> list[tuple[str, str]]:
    json = shown("who", *words.split()).json
    return [(fact["topic"], fact["words"]) for section in json for fact in section["facts"]]


def test_who_knows_a_block_from_both_sides(shown: Shown) -> None:
    physical = shown.surgeon.physical(shown.block)
    block = ("heap kmalloc", f"byte 0x4 of the header of the block of 5000 bytes of the area of "
             f"2 pages at virtual 0x{shown.block:x}")  # fmt: skip
    for words in (f"{shown.block + 4:#x}", f"-p {physical + 4:#x}"):
        facts = who(shown, words)
        assert block in facts
        assert ("owner", "heap kmalloc") in facts
        assert ("frame", f"0x{physical // PAGE:x}, byte 0x4 of it, zone normal") in facts
        assert any(
            topic == "mapping" and words.startswith(f"virtual 0x{shown.block + 4:x},")
            for topic, words in facts
        )
    size = shown.surgeon.size("struct block_header")
    behind = dict(who(shown, f"{shown.block + size + 5000:#x}"))
    assert behind["heap kmalloc"].startswith("0x0 bytes behind the block of 5000 bytes")


def test_who_knows_a_frame_s_owner(shown: Shown) -> None:
    facts = dict(who(shown, f"-p {shown.held:#x}"))
    assert facts["owner"] == "held"
    assert facts["frame table"].startswith("held, order 1, 1 users")
    free = shown.surgeon.free_frame(1)[0]
    facts = dict(who(shown, f"-p {free * PAGE:#x}"))
    assert facts["owner"] == "free"
    assert re.match(
        rf"in the free block of order \d+ at physical 0x{free * PAGE:x}, ",
        facts["free lists buddy"],
    )


def test_who_knows_records_tables_and_boot_information(shown: Shown) -> None:
    element = shown.surgeon.page(shown.held // PAGE, "flags")
    assert (
        "record",
        f"the frame table's element of frame 0x{shown.held // PAGE:x} (16 bytes)",
    ) in (who(shown, f"-p {element:#x}"))
    entry = shown.surgeon.entry(shown.block)
    first = shown.block & ~0xFFF
    assert (
        "page table",
        f"PTE {first >> 12 & 1023}, for virtual 0x{first:x}-0x{first + 4095:x}",
    ) in (who(shown, f"-p {entry:#x}"))
    for placement in shown.guest.placements:
        facts = dict(who(shown, f"-p {placement.start + 1:#x}"))
        assert facts["boot loader"].startswith(f"byte 0x1 of its {placement.name} ")
        assert facts["reserved"].endswith(f"the boot loader's {placement.name}")


def test_who_names_symbols_as_the_binary_tools_do(shown: Shown) -> None:
    kernel = shown.guest.kernel
    address = kernel.symbol("kernel_main") + 9
    facts = dict(who(shown, f"{address:#x}"))
    assert facts["symbol"] == "kernel_main+0x9"
    said = subprocess.run(
        ["addr2line", "-e", kernel.path, f"{address:#x}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.split()[0].endswith(facts["source"])
    assert facts["section"].startswith(".text, in the segment 0x")
    member = shown.surgeon.member("struct zone", "free_frames")
    address = kernel.types.variable("zones")[0] + shown.surgeon.size("struct zone") + member
    assert dict(who(shown, f"{address:#x}"))["symbol"] == "zones[1].free_frames"


def test_who_says_what_is_not_there(shown: Shown) -> None:
    assert dict(who(shown, "0xf0000000"))["translation"] == "none: not present (level 2)"
    facts = dict(who(shown, "-p 0xf0000000"))
    assert facts["firmware map"] == "in no region"
    assert facts["memory"] == "there is no RAM at this address"
    assert facts["mapping"] == "none leads here"


def test_frames_have_the_ledger_s_owners(shown: Shown) -> None:
    span = f"{shown.held:#x}-{shown.held + 2 * PAGE:#x}"
    assert shown("frames", span).json == [
        {"first": shown.held // PAGE, "end": shown.held // PAGE + 2, "owners": ["held"]}
    ]
    assert len(shown("frames", span, "--each").json) == 2
    runs = shown("frames").json
    usable = sum(len(run) for run in shown.guest.memory_map.usable_frames())
    forbidden = "not usable RAM"
    assert (
        sum(one["end"] - one["first"] for one in runs if forbidden not in one["owners"]) == usable
    )


def test_free_counts_what_the_kernel_counts(shown: Shown) -> None:
    text = shown.text("free")
    for index, name in enumerate(("dma", "normal")):
        counted = shown.surgeon.word(shown.surgeon.zone(index, "free_frames"))
        assert number(rf"\n  {name} .* (\d+) frames", text) == counted


def test_slabs_and_heap_name_what_is_there(shown: Shown) -> None:
    assert f"  {shown.block:#010x}  2 pages  block of 5000 bytes" in shown.text("heap")
    assert "objects of" in shown.text("slabs")


Cut = Callable[[Shown], object]


def free_counter(shown: Shown) -> None:
    shown.surgeon.add(shown.surgeon.zone(1, "free_frames"), 5)


def magic(shown: Shown) -> None:
    offset = shown.surgeon.member("struct block_header", "magic")
    shown.surgeon.write(shown.surgeon.physical(shown.block) + offset, 0x12345678)


def free_list(shown: Shown) -> None:
    head = shown.surgeon.list_head(1, shown.surgeon.longest_list(1))
    shown.surgeon.write(head, 0x12345671)


def steal(shown: Shown) -> None:
    free = shown.surgeon.free_frame(1)[0]
    where = shown.surgeon.entry(shown.block)
    shown.surgeon.write(where, shown.surgeon.word(where) & 0xFFF | free * PAGE)


def directory(shown: Shown) -> None:
    shown.surgeon.write(shown.surgeon.root + (shown.block >> 22) * 4, 0xFFFFF003)


@pytest.mark.parametrize(
    ("cut", "line", "words"),
    [
        (free_counter, "free", r"normal: the kernel counts \d+ free frames, its lists have \d+"),
        (free_counter, "check", r"violations:\n  free-lists"),
        (magic, "heap", "block of 5000 bytes, MAGIC OVERWRITTEN"),
        (magic, "who BLOCK", "with its magic overwritten"),
        (free_list, "free", "what does not add up:\n  buddy, .*no node: 0x12345671 is not"),
        (steal, "who BLOCK", "owner: .*free and heap kmalloc, which is one too many"),
        (steal, "map", "free and heap kmalloc"),
        (steal, "frames", "free and heap kmalloc"),
        (directory, "tables", "what does not add up:\n  the PDE .* there is no RAM at the table"),
        (directory, "walk BLOCK", "ends here: no RAM at table 0xfffff000"),
        (directory, "who BLOCK", "translation: .*none: no RAM at table 0xfffff000"),
    ],
)
def test_a_broken_guest_is_shown_as_it_is(shown: Shown, cut: Cut, line: str, words: str) -> None:
    line = line.replace("BLOCK", hex(shown.block))
    assert not re.search(words, shown.text(line), re.DOTALL)
    cut(shown)
    assert re.search(words, shown.text(line), re.DOTALL), shown.text(line)


def test_check_agrees_with_the_exit_code_and_diff_with_what_was_done(shown: Shown) -> None:
    before = Observation(shown.guest).state
    assert not shown("check").findings
    magic(shown)
    assert shown("check").findings
    seen = Observation(shown.guest, past=lambda name: before)
    assert "its header is no longer what marks it" in answer(seen, "diff", []).text


def test_every_view_says_something_at_every_moment_of_a_boot(
    kernel: KernelImage, pool: Pool
) -> None:
    """Poisoned RAM, paging off, half of it built: no exception, and never a word in vain."""
    with pool.boot(MachineSpec(kernel, 16 << 20)) as guest:
        for _ in range(3):
            for view in VIEWS.values():
                if view.name != "diff":
                    seen = Observation(guest, guest.moment())
                    arguments = ["0x100000"] if view.name in ("walk", "who") else []
                    assert view.answer(seen, arguments).text
            guest.stop_at([kernel.symbol(name) for name in ("kernel_main", "early_hand_over")])
