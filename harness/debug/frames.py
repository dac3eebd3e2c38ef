"""Where a stopped guest is, as gdb tells it: frames with C values, instructions, threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.debug.values import Value, shown, values_of

MOST_FRAMES = 64
"""Of a backtrace, unless told; a broken stack may have any number."""


@dataclass(frozen=True)
class Frame:
    """A function that is running, and what it was called with."""

    level: int
    """0 for the innermost."""
    address: int
    """Of the next instruction in it; linear."""
    function: str | None = None
    """None where there is no symbol."""
    file: str | None = None
    line: int | None = None
    arguments: Mapping[str, Value] = field(default_factory=dict)
    locals: Mapping[str, Value] = field(default_factory=dict)
    """Empty unless they were asked for."""

    def __str__(self) -> str:
        given = ", ".join(f"{name}={shown(value)}" for name, value in self.arguments.items())
        place = f" ({self.file}:{self.line})" if self.file else ""
        return f"{self.address:#010x} {self.function or '??'}({given}){place}"


@dataclass(frozen=True)
class Instruction:
    """An instruction in memory."""

    address: int
    """Linear."""
    text: str
    """As gdb's ``disassembly-flavor`` writes it."""
    contents: bytes
    symbol: str | None = None
    """The function around it and the offset into it, such as ``kmalloc + 4``."""
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.address:#010x} <{self.symbol or '??'}> {self.text}"


@dataclass(frozen=True)
class Thread:
    """One CPU, as QEMU's stub shows it."""

    number: int
    name: str
    state: str
    """``stopped`` or ``running``."""


def frame_of(plain: Mapping[str, Any]) -> Frame:
    """Return the frame that gdb's side has put into JSON."""
    values = {name: values_of(plain[name]) for name in ("arguments", "locals")}
    return Frame(**{**plain, **values})


def instruction_of(plain: Mapping[str, Any]) -> Instruction:
    """Return the instruction that gdb's side has put into JSON."""
    return Instruction(**{**plain, "contents": bytes.fromhex(plain["contents"])})


def thread_of(record: Mapping[str, Any]) -> Thread:
    """Return a thread of MI's ``-thread-info``."""
    return Thread(int(record["id"]), str(record.get("target-id", "")), str(record["state"]))
