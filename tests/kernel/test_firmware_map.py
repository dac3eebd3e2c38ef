"""Every way in which a firmware's map can be odd, against the maps package's word for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from harness.check.verify import verify
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.machine.shape import BootInformationShape as Shape
from harness.machine.spec import MachineSpec
from harness.maps.memory_map import MemoryMap
from harness.maps.notation import parse_compact
from harness.maps.region import Region
from tests.kernel.session import MIB, PAGE, Session

MEMORY = 32 * MIB
PLAIN = "0-9fc00 usable, 9fc00-a0000 reserved, f0000-100000 reserved, 100000-2000000 usable"
ALMOST_4_GIB = 0xFFFFFFFF


@dataclass(frozen=True)
class Case:
    """A map and the form in which it is told."""

    text: str = PLAIN
    shape: Shape = field(default_factory=Shape)
    memory: int = MEMORY


def over(text: str) -> Case:
    """Return the plain map with more entries behind it."""
    return Case(f"{PLAIN}, {text}")


MAPS = {
    "plain": Case(),
    "unsorted": Case("1000000-2000000 usable, f0000-100000 reserved, 100000-1000000 usable, "
                     "9fc00-a0000 reserved, 0-9fc00 usable"),
    "duplicated": Case(f"{PLAIN}, {PLAIN}, {PLAIN}"),
    "reserved inside usable": over("900000-901000 reserved"),
    "reserved inside usable, first": Case(f"900000-901000 reserved, {PLAIN}"),
    "usable inside reserved": Case("0-9f000 usable, 100000-1000000 usable, "
                                   "1800000-2000000 reserved, 1900000-1a00000 usable"),
    "overlap at a start": over("1800000-2800000 reserved"),
    "overlap at an end": over("80000-180000 acpi"),
    "every type on one frame": over("900000-901000 acpi, 900000-901000 nvs, 900000-901000 bad, "
                                    "900000-901000 reserved, 900000-901000 usable"),
    "nested types": over("800000-900000 acpi, 820000-880000 nvs, 840000-860000 bad, "
                         "848000-850000 usable"),
    "two halves of a page": Case("0-9fc00 usable, 100000-800800 usable, 800800-2000000 usable"),
    "three pieces of a page": Case("0-9fc00 usable, 100000-800400 usable, "
                                   "800801-2000000 usable, 800400-800801 usable"),
    "a byte missing between halves": Case("0-9fc00 usable, 100000-8007ff usable, "
                                          "800800-2000000 usable"),
    "a byte reserved": over("800800-800801 reserved"),
    "a page's last byte reserved": over("800fff-801000 reserved"),
    "halves of different types": Case("0-9fc00 usable, 100000-800800 usable, "
                                      "800800-1000000 reserved, 1000000-2000000 usable"),
    "two reservations in one page": over("800100-800200 acpi, 800800-800900 nvs"),
    "reservations that meet inside a page": over("800000-900800 nvs, 900800-a00000 acpi"),
    "an end that is not aligned": Case("0-9fc00 usable, 100000-1ffffff usable"),
    "a start that is not aligned": Case("0-9fc00 usable, 100001-2000000 usable"),
    "a start inside page 0": Case("100-9fc00 usable, 100000-2000000 usable"),
    "less than a page at 0": Case("0-800 usable, 100000-2000000 usable"),
    "nothing at 0": Case("1000-9fc00 usable, 100000-2000000 usable"),
    "islands of a page or less": Case("0-9fc00 usable, 100000-400000 usable, 500000-501000 usable, "
                                      "600000-600fff usable, 700800-701800 usable, "
                                      "800800-802800 usable, a00000-a00001 usable, "
                                      "1000000-2000000 usable"),
    "the ISA hole": Case("0-9fc00 usable, 100000-f00000 usable, 1000000-2000000 usable"),
    "no usable low megabyte": Case("100000-2000000 usable"),
    "the kernel in reserved memory": Case("0-9f000 usable, 400000-2000000 usable"),
    "usable only above the DMA zone": Case("0-1000 reserved, 400000-410000 usable, "
                                           "1000000-2000000 usable"),
    "zero length in the middle": Case("0-9fc00 usable, 0+0 reserved, 500000+0 reserved, "
                                      "100000-2000000 usable"),
    "zero length at the end": over("2000000+0 usable, 0+0 type 0"),
    "zero length at the start": Case(f"0+0 type 0, {PLAIN}"),
    "a map of zero lengths around RAM": Case("100000-2000000 usable, 100000+0 bad, ffffffff+0 bad"),
    "high bits in a type": over("800000-900000 type 0x101, a00000-b00000 type 0x80000001, "
                                "c00000-d00000 type 0xffffffff, d00000-e00000 type 0x10001"),
    "types from the field": over("800000-801000 type 0, 802000-803000 type 6, "
                                 "804000-805000 type 7, 806000-807000 type 12, "
                                 "808000-809000 type 16"),
    "reserved across 4 GiB": over("1800000+200000000 reserved"),
    "reserved until 2^64 wraps": over("1800000+ffffffffff000000 reserved"),
    "usable until 2^64 wraps": over("fffffffffffff000+2000 usable"),
    "reserved that wraps onto address 0": over("fffffffffffff000+300000 reserved"),
    "base and length wrap 2^32": over("fffff000+900000 reserved"),
    "a reservation that ends at 4 GiB": over("fffc0000-100000000 reserved"),
    "usable that ends at 4 GiB": over("fffc0000-100000000 usable"),
    "usable that ends a byte before 4 GiB": over("fff00000-ffffffff usable"),
    "usable at 4 GiB": over("100000000-140000000 usable"),
    "reserved at 4 GiB": over("100000000-140000000 reserved"),
    "far above": over("10000000000-ffffffffffffffff usable, fffffffffffffffe-ffffffffffffffff bad"),
    "RAM that is not there": Case("0-9fc00 usable, 100000-10000000 usable"),
    "64 GiB that are not there": Case("0-9fc00 usable, 100000+fffffff000 usable"),
    "RAM that ends inside a chunk": Case("0-9fc00 usable, 100000-4000000 usable",
                                         memory=0x1204000),
    "RAM that no entry mentions": Case("0-9fc00 usable, 100000-800000 usable"),
    "RAM with a hole": Case("0-9f000 usable, 100000-800000 usable, 1400000-1500000 usable"),
}  # fmt: skip

SHAPES = {
    "size 24": Shape(entry_sizes=(24,)),
    "size 32": Shape(entry_sizes=(32,)),
    "sizes mixed": Shape(entry_sizes=(20, 24, 32, 21, 128)),
    "map at an odd address": Shape(map_address=0x8123),
    "map across a page's border": Shape(map_address=0x8FED),
    "map at the last bytes of RAM": Shape(map_address=MEMORY - 4 * 24),
    "information at the last bytes of RAM": Shape(information_address=MEMORY - 72),
    "information across a page's border": Shape(information_address=0x8FE4),
    "command line at the last bytes of RAM": Shape(command_line_address=MEMORY - 11),
    "length cut by a byte": Shape(map_length=4 * 24 - 1),
    "length cut to a stump": Shape(map_length=3 * 24 + 4),
    "length and a stump": Shape(map_length=4 * 24 + 3),
    "no length": Shape(map_length=0),
    "a long entry cut": Shape(entry_sizes=(32,), map_length=4 * 36 - 4),
    "only sizes": Shape(memory_map=False),
    "only odd sizes": Shape(memory_map=False, memory_lower=637, memory_upper=20481),
    "only the upper size": Shape(memory_map=False, memory_lower=0),
    "only the lower size": Shape(memory_map=False, memory_upper=0),
    "more than there is": Shape(memory_map=False, memory_upper=ALMOST_4_GIB),
    "lower beyond 640 KiB": Shape(memory_map=False, memory_lower=1024),
    "sizes that are wrong beside a map": Shape(memory_lower=1, memory_upper=1),
    "a map alone": Shape(memory=False),
    "no command line": Shape(command_line=False, loader_name=False),
    "no modules at a place": Shape(module_count=0, module_list_address=0x500000),
}


def make_map(text: str) -> MemoryMap:
    return parse_compact(text, "here")[0]


def frames_of(ranges: Iterator[range]) -> set[int]:
    return {frame for found in ranges for frame in found}


def usable_frames(memory_map: MemoryMap, ram: tuple[range, ...]) -> set[int]:
    """Return the frames (pfn) that the map calls usable and that are RAM."""
    there = [range(-(-piece.start // PAGE), piece.stop // PAGE) for piece in ram]
    return frames_of(
        range(max(usable.start, piece.start), min(usable.stop, piece.stop))
        for usable in memory_map.usable_frames()
        for piece in there
    )


def told_regions(session: Session) -> list[tuple[int, int, str]]:
    """Return the kernel's own map: first frame, end, type."""
    regions: list[tuple[int, int, str]] = []
    command: str | None = "firmware"
    while command:
        answer = session.ok(command)
        for item in filter(None, answer.values.get("regions", "").split(",")):
            bounds, _, name = item.partition(":")
            start, _, end = bounds.partition("-")
            regions.append((int(start, 0), int(end, 0), name))
        command = f"firmware {answer.values['next']}" if "next" in answer.values else None
    assert len(regions) == answer.number("count")
    return regions


def assert_told_as_it_is(kernel: KernelImage, pool: Pool, spec: MachineSpec) -> Session:
    """Boot again and compare the kernel's map with the maps package's; return the guest."""
    with pool.boot(spec) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        session = Session(guest, guest.console.log.text())
        regions = told_regions(session)
        assert regions == sorted(regions)
        assert all(start < end <= 1 << 20 for start, end, _ in regions)
        assert all(low[1] <= high[0] for low, high in pairwise(regions))
        told = frames_of(range(r[0], r[1]) for r in regions if r[2] == "usable")
        assert told == usable_frames(guest.memory_map, guest.ram.ranges)
        return session


@pytest.mark.parametrize("name", MAPS)
def test_a_map_is_understood(kernel: KernelImage, pool: Pool, name: str) -> None:
    case = MAPS[name]
    spec = MachineSpec(kernel, case.memory, map=make_map(case.text), shape=case.shape)
    verdict = verify(spec, pool)
    assert (verdict.verdict, verdict.violations) == ("good", ())
    assert_told_as_it_is(kernel, pool, spec)


@pytest.mark.parametrize("name", SHAPES)
def test_a_form_is_understood(kernel: KernelImage, pool: Pool, name: str) -> None:
    spec = MachineSpec(kernel, MEMORY, map=make_map(PLAIN), shape=SHAPES[name])
    verdict = verify(spec, pool)
    assert verdict.violations == ()
    if verdict.verdict == "good":
        assert_told_as_it_is(kernel, pool, spec)
    else:
        assert name in ("no length", "length cut to a stump", "only the lower size")


@pytest.mark.parametrize(
    ("text", "shape", "reason"),
    [
        ("100000000-140000000 usable", Shape(), "no usable memory below 4 GiB"),
        ("0-100000 reserved, 100000-2000000 acpi", Shape(), "no usable memory below 4 GiB"),
        ("0-800 usable, 100800-101700 usable", Shape(), "no usable memory below 4 GiB"),
        ("40000000-80000000 usable", Shape(), "no usable memory below 4 GiB"),
        (PLAIN, Shape(memory_map=False, memory=False), "says nothing about memory"),
        (PLAIN, Shape(map_length=0), "no usable memory below 4 GiB"),
        ("100000-800000 reserved, 1000000-2000000 usable", Shape(), "below 8 MiB are needed"),
        ("100000-400000 reserved, 500000-506000 usable", Shape(), "no room for the frame table"),
    ],
    ids=["only above 4 GiB", "none usable", "no whole frame", "only where no RAM is",
         "nothing is told", "an empty map", "no place for the bitmap", "24 KiB"],
)  # fmt: skip
def test_a_machine_without_enough_memory_is_refused_clearly(
    kernel: KernelImage, pool: Pool, text: str, shape: Shape, reason: str
) -> None:
    spec = MachineSpec(kernel, MEMORY, map=make_map(text), shape=shape)
    verdict = verify(spec, pool)
    assert (verdict.verdict, verdict.ended) == ("refused", "refused")
    assert reason in verdict.ending.message


def test_region_at_4_gib_does_not_fold_onto_address_0(kernel: KernelImage, pool: Pool) -> None:
    """Nor does one whose base or length has only high halves."""
    memory_map = make_map("100000-1000000 usable, 100000000-100500000 usable, 500000+900000000 nvs")
    spec = MachineSpec(kernel, MEMORY, map=memory_map)
    assert verify(spec, pool).verdict == "good"
    session = assert_told_as_it_is(kernel, pool, spec)
    assert told_regions(session)[0][0] == 0x100
    assert "above 4 GiB" in session.boot_log


def stripes(count: int, step: int, length: int, type_: int, start: int = 2 * MIB) -> list[Region]:
    return [Region(start + index * step, length, type_) for index in range(count)]


@pytest.mark.parametrize("type_", [2, 5])
def test_a_thousand_reservations_are_all_kept(kernel: KernelImage, pool: Pool, type_: int) -> None:
    entries = [Region(0, 0x9F000, 1), Region(MIB, 31 * MIB, 1)]
    entries += stripes(1000, 7 * PAGE, PAGE, type_)
    spec = MachineSpec(kernel, MEMORY, map=MemoryMap(tuple(entries[::-1])))
    verdict = verify(spec, pool)
    assert (verdict.verdict, verdict.violations) == ("good", ())
    assert_told_as_it_is(kernel, pool, spec)


def test_more_regions_than_the_table_holds_cost_ram_but_no_reservation(
    kernel: KernelImage, pool: Pool
) -> None:
    """5,000 reservations cut RAM into 5,000 pieces, and 1,024 are listed."""
    entries = [Region(0, 0x9F000, 1), Region(MIB, 63 * MIB, 1)]
    entries += stripes(5000, 3 * PAGE, PAGE, 2)
    memory_map = MemoryMap(tuple(entries))
    spec = MachineSpec(kernel, 64 * MIB, map=memory_map)
    with pool.boot(spec) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        session = Session(guest, guest.console.log.text())
        usable = usable_frames(memory_map, guest.ram.ranges)
        regions = told_regions(session)
        told = frames_of(range(r[0], r[1]) for r in regions if r[2] == "usable")
        assert told < usable
        listed = sum(r[2] == "usable" for r in regions)
        assert listed > 1000
        pieces = 5000 + 2
        assert f"{pieces - listed} usable regions dropped" in session.boot_log
        # The model knows which pieces must have stayed: everything else is as it has to be.
        assert session.inspect().violations == ()


def test_a_map_that_is_too_long_to_read_is_refused(kernel: KernelImage, pool: Pool) -> None:
    entries = (Region(0, 0x9F000, 1), Region(MIB, 15 * MIB, 1))
    long = MemoryMap(entries * (16384 // len(entries)) + entries)
    verdict = verify(MachineSpec(kernel, MEMORY, map=long), pool)
    assert (verdict.verdict, verdict.violations) == ("refused", ())
    assert "16386 entries" in str(verdict.refusal)
