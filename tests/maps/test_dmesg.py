"""Maps in logs, with lines as they stand in public bug reports."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.maps.dmesg import SOFT_RESERVED, parse_dmesg
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.maps.syntax import MapSyntaxError

LOW = Region(0, 0x9FC00, 1)


def entries(log: str) -> list[Region]:
    """Return the entries of the only map in ``log``."""
    (memory_map,) = parse_dmesg(log, "dmesg")
    return list(memory_map.entries)


@pytest.mark.parametrize(
    "line",
    [
        "BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable",
        "[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable\r",
        "[    0.000000][    T0] BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable",
        "[Sat Nov 21 08:00:00 2026] BIOS-e820: [mem 0x00000000-0x0009fbff] usable",
        "Nov 21 08:00:00 tyr kernel: BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable",
        "Nov 21 08:00:00 tyr kernel: [    0.000000]  BIOS-e820: 00000000 - 0009fc00 (usable)",
        "> > <6> BIOS-e820: 0000000000000000 - 000000000009fc00 (usable)  ",
        "  BIOS-e820: 000000000009fc00 @ 0000000000000000 (usable)",
        "\tBIOS-e820: [mem 0x0000000000000000-0x000000000009fbff]  639   KB System RAM",
        "BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff]    1.9 GB kernel usable RAM",
        "BIOS-e801: 0000000000000000 - 000000000009fc00 (usable)",
        "BIOS-88: 0000000000000000 - 000000000009fc00 (usable)",
        " 0009fc00 @ 00000000 (usable)",
        "kernel:  0009fc00 @ 00000000 (usable)",
        "(XEN)  0000000000000000 - 000000000009fc00 (usable)",
        "(XEN)  [0000000000000000, 000000000009fbff] (usable)",
    ],
)
def test_forms_of_one_entry(line: str) -> None:
    log = f"Linux version 2.6.5\n{line}\nOn node 0 totalpages: 159\n"
    assert parse_dmesg(log, "dmesg") == [MemoryMap((LOW,))]


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("usable", 1),
        ("reserved", 2),
        ("device reserved", 2),
        ("ACPI data", 3),
        ("ACPI NVS", 4),
        ("unusable", 5),
        ("type 20", 20),
        ("persistent (type 12)", 12),
        ("persistent (type 7)", 7),
        ("persistent RAM (type 7)", 7),
        ("soft reserved", SOFT_RESERVED),
    ],
)
def test_types(words: str, number: int) -> None:
    assert entries(f"BIOS-e820: [mem 0x1000-0x1fff] {words}") == [Region(0x1000, 0x1000, number)]
    assert entries(f"BIOS-e820: 1000 - 2000 ({words})") == [Region(0x1000, 0x1000, number)]


REPORT = """\
Linux version 6.1.0 (gcc 12.2.0) #1 SMP
BIOS-provided physical RAM map:
BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable
BIOS-e820: [mem 0x000000000009fc00-0x000000000009ffff] reserved
BIOS-e820: [gap 0x00000000000a0000-0x00000000000fffff]
BIOS-e820: [mem 0x0000000000100000-0x0000000003ffffff] usable
e820: update [mem 0x00000000-0x00000fff] usable ==> reserved
e820: remove [mem 0x000a0000-0x000fffff] usable
user-defined physical RAM map:
user: [mem 0x0000000000000000-0x000000000009fbff] usable
modified physical RAM map:
modified: [mem 0x0000000000000000-0x0000000000000fff] reserved
modified: [mem 0x0000000000001000-0x000000000009fbff] usable
reserve setup_data: [mem 0x0000000000000000-0x000000000009fbff] usable
ACPI: Reserving FACP table memory at [mem 0x3fe0000-0x3fe0073]
  node   0: [mem 0x0000000000001000-0x000000000009efff]
PM: hibernation: Registered nosave memory: [mem 0x00000000-0x00000fff]
system 00:01: [mem 0xfed1c000-0xfed1ffff] has been reserved
pci 0000:00:02.0: reg 0x10: [mem 0xfd000000-0xfdffffff pref]
"""
PROVIDED = [LOW, Region(0x9FC00, 0x400, 2), Region(0x100000, 0x3F00000, 1)]


def test_the_firmware_is_believed_before_the_kernel() -> None:
    assert entries(REPORT) == PROVIDED


def test_without_the_firmwares_map_each_other_one_is_taken() -> None:
    log = "\n".join(line for line in REPORT.splitlines() if "BIOS" not in line)
    maps = {each.name: list(each.entries) for each in parse_dmesg(log, "dmesg")}
    assert maps == {
        "user": [LOW],
        "modified": [Region(0, 0x1000, 2), Region(0x1000, 0x9EC00, 1)],
        "reserve setup_data": [LOW],
    }


def test_xen_and_its_first_guest_have_a_map_each() -> None:
    log = (
        "(XEN) Xen-e820 RAM map:\n"
        "(XEN)  0000000000000000 - 000000000009fc00 (usable)\n"
        "[    0.000000] Xen: [mem 0x0000000000000000-0x0000000000000fff] usable\n"
    )
    maps = {each.name: list(each.entries) for each in parse_dmesg(log, "dmesg")}
    assert maps == {"": [LOW], "Xen": [Region(0, 0x1000, 1)]}


def test_a_journal_of_boots_gives_each_different_map_once() -> None:
    other = REPORT.replace("0x0000000003ffffff", "0x0000000001ffffff")
    maps = parse_dmesg(REPORT + REPORT + other, "dmesg")
    assert [each.entries[2].end for each in maps] == [0x4000000, 0x2000000]


def test_an_entry_without_length_keeps_its_base() -> None:
    log = (
        "BIOS-e820: [mem 0x0000000000000000-0xffffffffffffffff] reserved\n"
        "BIOS-e820: [mem 0x0000000000001000-0x0000000000000fff] reserved\n"
    )
    assert entries(log) == [Region(0, 0, 2), Region(0x1000, 0, 2)]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("BIOS-e820: [mem 0x0000000000000000-0x00000000", 12),
        ("> BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff]", 14),
        ("BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usab", 12),
        ("BIOS-e820: [mem 0x000000000000z000-0x000000000009fbff] usable", 12),
        ("BIOS-e820: [mem 0x2000-0xfff] usable", 12),
        ("BIOS-e820: [mem 0x2000-0x2fff] type 4294967296", 12),
        ("BIOS-e820: 0000000000000000 - 000000000009fc00", 12),
        ("BIOS-e820:", 11),
    ],
)
def test_a_damaged_line_of_the_firmwares_map_is_an_error(line: str, column: int) -> None:
    with pytest.raises(MapSyntaxError) as raised:
        parse_dmesg(f"{REPORT}{line}\n", "dmesg")
    assert (raised.value.line, raised.value.column) == (len(REPORT.splitlines()) + 1, column)


@pytest.mark.parametrize(
    "prose", ["", "no map here", "look at BIOS-e820: something is odd", "0-9fc00 usable"]
)
def test_text_without_a_map_gives_none(prose: str) -> None:
    assert parse_dmesg(prose, "mail") == []


@given(st.text("BIOS-e820: [mx0f]@(usable)\n>", max_size=200))
def test_any_text_is_a_log_or_an_error(text: str) -> None:
    maps: list[MemoryMap] = []
    with contextlib.suppress(MapSyntaxError):
        maps = parse_dmesg(text, "noise")
    assert all(each.entries for each in maps)
