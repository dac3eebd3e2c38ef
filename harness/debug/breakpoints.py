"""Breakpoints and watchpoints, as gdb numbers them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Access(Enum):
    """What stops at a watchpoint."""

    WRITE = "write"
    READ = "read"
    ANY = "access"


@dataclass(frozen=True)
class Breakpoint:
    """A place before whose instruction the guest stops."""

    number: int
    location: str
    """As it was given: a function, ``FILE:LINE``, or ``*ADDRESS``."""
    addresses: tuple[int, ...]
    """Linear; while paging is off also where the code is until it is turned on."""
    hardware: bool = False
    temporary: bool = False
    condition: str | None = None
    enabled: bool = True
    hits: int = 0

    def __str__(self) -> str:
        return f"breakpoint {self.number} at {self.location}"


@dataclass(frozen=True)
class Watchpoint:
    """A piece of memory, by virtual address, at whose use the guest stops."""

    number: int
    expression: str
    """The C object as it was given."""
    address: int
    access: Access = Access.WRITE

    def __str__(self) -> str:
        return f"watchpoint {self.number} on {self.expression}"


def breakpoint_of(record: Mapping[str, Any]) -> Breakpoint:
    """Return the breakpoint of an MI breakpoint record ("Debugging with GDB", 27.7.4)."""
    places = record.get("locations") or [record]
    addresses = [place["addr"] for place in places if place.get("enabled") == "y"]
    return Breakpoint(
        number=int(record["number"]),
        location=str(record.get("original-location", record.get("addr", ""))),
        addresses=tuple(int(one, 16) for one in addresses if one.startswith("0x")),
        hardware=str(record["type"]).startswith("hw"),
        temporary=record["disp"] == "del",
        condition=record.get("cond"),
        enabled=record["enabled"] == "y",
        hits=int(record.get("times", 0)),
    )
