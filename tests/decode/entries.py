"""Paging entries by the names of their fields, as the SDM (volume 3A, chapter 4) draws them."""

from __future__ import annotations

from construct import BitsInteger, BitStruct, ByteSwapped, Default, Flag

_FLAGS = tuple(
    name / Default(Flag, False)
    for name in ("dirty", "accessed", "pcd", "pwt", "user", "writable", "present")
)

# Table 4-5 (PDE that refers to a table: bit 7 is "ignored" or PS = 0) and 4-6 (PTE).
SMALL_32 = ByteSwapped(
    BitStruct(
        "frame" / Default(BitsInteger(20), 0),
        "available" / Default(BitsInteger(3), 0),
        "global_" / Default(Flag, False),
        "bit7" / Default(Flag, False),
        *_FLAGS,
    )
)
# Table 4-4: PDE that maps a 4 MiB page.
LARGE_32 = ByteSwapped(
    BitStruct(
        "frame" / Default(BitsInteger(10), 0),  # address bits 31:22
        "reserved" / Default(BitsInteger(1), 0),  # bit 21
        "high" / Default(BitsInteger(8), 0),  # address bits 39:32
        "pat" / Default(Flag, False),
        "available" / Default(BitsInteger(3), 0),
        "global_" / Default(Flag, False),
        "bit7" / Default(Flag, True),
        *_FLAGS,
    )
)
# Tables 4-9 to 4-11 and 4-15 to 4-20: 8 byte entries.
WIDE = ByteSwapped(
    BitStruct(
        "no_execute" / Default(Flag, False),
        "high" / Default(BitsInteger(11), 0),  # bits 62:52
        "frame" / Default(BitsInteger(40), 0),  # bits 51:12
        "available" / Default(BitsInteger(3), 0),
        "global_" / Default(Flag, False),
        "bit7" / Default(Flag, False),
        *_FLAGS,
    )
)


def small(**fields: object) -> int:
    return int.from_bytes(SMALL_32.build({"present": True, **fields}), "little")


def large(**fields: object) -> int:
    return int.from_bytes(LARGE_32.build({"present": True, **fields}), "little")


def wide(**fields: object) -> int:
    return int.from_bytes(WIDE.build({"present": True, **fields}), "little")
