"""MI commands that answer with C values as JSON; read by gdb's own Python, never imported.

A guest's memory is hostile: how much of it is read is bounded, and what cannot be read says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import gdb

DEPTH = 16
"""Structures within structures; pointers are never followed."""
AT_ONCE = 64 << 10
"""Bytes of an array that are read in one go."""
STRING = 200
"""Bytes of a string behind a pointer."""


class Budget:
    """How many elements of arrays may still be read."""

    def __init__(self, elements: int) -> None:
        self.left = elements

    def take(self, wanted: int) -> int:
        """Return how many of the wanted elements are granted."""
        granted = min(wanted, self.left)
        self.left -= granted
        return granted


def plain(value: Any, budget: Budget, depth: int = DEPTH) -> Any:
    """Return a value as JSON has it; one that cannot be read is ``{"unreadable": why}``."""
    try:
        if value.is_optimized_out:
            return {"unreadable": "optimized out"}
        return readable(value, budget, depth)
    except gdb.error as error:
        return {"unreadable": str(error)}


def readable(value: Any, budget: Budget, depth: int = DEPTH) -> Any:
    """Return a value as JSON has it; raise gdb.error when nothing of it can be read."""
    kind = value.type.strip_typedefs()
    if depth == 0:
        return {"unreadable": "nested too deeply"}
    convert = KINDS.get(kind.code)
    return convert(value, kind, budget, depth) if convert else str(value)


def integer(value: Any, kind: Any, budget: Budget, depth: int) -> int:
    return int(value)


def boolean(value: Any, kind: Any, budget: Budget, depth: int) -> bool:
    return bool(value)


def real(value: Any, kind: Any, budget: Budget, depth: int) -> float | str:
    number = float(value)
    return number if number - number == 0 else str(value)  # JSON has no infinity


def nothing(value: Any, kind: Any, budget: Budget, depth: int) -> None:
    return None


def flags(value: Any, kind: Any, budget: Budget, depth: int) -> int:
    return int(value.cast(gdb.lookup_type("unsigned long")))


def enumerator(value: Any, kind: Any, budget: Budget, depth: int) -> dict[str, Any]:
    number = int(value)
    names = [field.name for field in kind.fields() if field.enumval == number]
    return {"enum": names[0] if names else None, "value": number, "type": str(value.type)}


def pointer(value: Any, kind: Any, budget: Budget, depth: int) -> dict[str, Any]:
    address = int(value)
    found = {"pointer": address, "type": str(value.type), "symbol": symbol(address), "text": None}
    target = kind.target().strip_typedefs()
    if address and target.code == gdb.TYPE_CODE_INT and target.sizeof == 1:
        found["text"] = text_at(address)
    return found


def function(value: Any, kind: Any, budget: Budget, depth: int) -> dict[str, Any]:
    return pointer(value.address, value.address.type, budget, depth)


def structure(value: Any, kind: Any, budget: Budget, depth: int) -> dict[str, Any]:
    if not value.is_lazy or kind.sizeof <= AT_ONCE:
        value.fetch_lazy()
    return {"struct": str(value.type), "fields": dict(fields(value, kind, budget, depth))}


def fields(value: Any, kind: Any, budget: Budget, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield name and value of each field; those of an unnamed one are its structure's."""
    for field in kind.fields():
        if field.name:
            yield field.name, plain(value[field], budget, depth - 1)
        elif depth > 1:
            inner = value[field]
            yield from fields(inner, inner.type.strip_typedefs(), budget, depth - 1)


def array(value: Any, kind: Any, budget: Budget, depth: int) -> dict[str, Any]:
    if "[]" in str(kind):  # declared without a length: all that is known is where it begins
        return pointer(value[0].address, value[0].address.type, budget, depth)
    first, last = kind.range()
    element = kind.target().strip_typedefs()
    length = max(0, last - first + 1)
    if element.code == gdb.TYPE_CODE_INT and element.sizeof == 1 and value.address is not None:
        granted = budget.take(length)
        data = memory(int(value.address), granted) if granted else b""
        return {"bytes": data.hex(), "length": length}
    if length * element.sizeof <= AT_ONCE:
        value.fetch_lazy()
    # Of elements that are arrays, each asks for its own.
    nested = element.code == gdb.TYPE_CODE_ARRAY
    granted = min(length, budget.left) if nested else budget.take(length)
    elements = [plain(value[first + index], budget, depth - 1) for index in range(granted)]
    return {"array": elements, "length": length}


def memory(address: int, length: int) -> bytes:
    return bytes(gdb.selected_inferior().read_memory(address, length))


def text_at(address: int) -> str | None:
    """Return in hex the string at an address, without its zero; None where there is no memory."""
    page = 4096 - address % 4096  # the next page need not be there
    found = b""
    for start, length in ((address, min(page, STRING)), (address + page, STRING - page)):
        try:
            found += memory(start, length) if length > 0 and b"\0" not in found else b""
        except gdb.error:
            return found.hex() if found else None
    return found.partition(b"\0")[0].hex()


def symbol(address: int) -> str | None:
    """Return the name of what begins at an address, or ``name + offset``."""
    said = gdb.execute(f"info symbol {address:#x}", to_string=True)
    found, _, _ = said.partition(" in section ")
    return None if said.startswith("No symbol") else found.strip()


KINDS: dict[int, Callable[[Any, Any, Budget, int], Any]] = {
    gdb.TYPE_CODE_INT: integer,
    gdb.TYPE_CODE_CHAR: integer,
    gdb.TYPE_CODE_BOOL: boolean,
    gdb.TYPE_CODE_FLT: real,
    gdb.TYPE_CODE_VOID: nothing,
    gdb.TYPE_CODE_FLAGS: flags,
    gdb.TYPE_CODE_ENUM: enumerator,
    gdb.TYPE_CODE_PTR: pointer,
    gdb.TYPE_CODE_FUNC: function,
    gdb.TYPE_CODE_STRUCT: structure,
    gdb.TYPE_CODE_UNION: structure,
    gdb.TYPE_CODE_ARRAY: array,
}


def frame_at(level: int) -> Any:
    """Return the frame that is so many calls out."""
    frame = gdb.newest_frame()
    for _ in range(level):
        frame = frame.older()
        if frame is None:
            raise gdb.GdbError(f"there is no frame {level}")
    return frame


def described(frame: Any, level: int, elements: int, with_locals: bool) -> dict[str, Any]:
    """Return one frame of a backtrace."""
    found: dict[str, Any] = {
        "level": level,
        "address": frame.pc(),
        "function": frame.name(),
        "arguments": {},
        "locals": {},
        **source(frame.find_sal()),
    }
    for name, entry in variables(frame):
        kind = "arguments" if entry.is_argument else "locals"
        if (entry.is_argument or with_locals) and name not in found[kind]:
            found[kind][name] = variable(frame, entry, elements)
    return found


def source(place: Any) -> dict[str, Any]:
    """Return file and line of a place in the source, None where there is none."""
    return {
        "file": place.symtab.filename if place.symtab else None,
        "line": place.line or None,
    }


def variables(frame: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a frame's function can name, innermost block first."""
    try:
        block = frame.block()
    except RuntimeError:
        return  # assembly
    while block is not None and not block.is_global and not block.is_static:
        for entry in block:
            if entry.is_argument or (entry.is_variable and entry.needs_frame):
                yield entry.name, entry
        if block.function is not None:
            return
        block = block.superblock


def variable(frame: Any, entry: Any, elements: int) -> Any:
    try:
        return plain(entry.value(frame), Budget(elements))
    except (gdb.error, RuntimeError) as error:
        return {"unreadable": str(error)}


def described_instruction(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": one["addr"],
        "text": " ".join(one["asm"].split()),
        "contents": memory(one["addr"], one["length"]).hex(),
        "symbol": symbol(one["addr"]),
        **source(gdb.find_pc_line(one["addr"])),
    }


def evaluate(expression: str, level: str, elements: str) -> Any:
    """Return the value of a C expression in a frame."""
    if int(level):
        frame_at(int(level)).select()
    try:
        return readable(gdb.parse_and_eval(expression), Budget(int(elements)))
    finally:
        if int(level):
            gdb.newest_frame().select()


def frames(limit: str, elements: str, with_locals: str) -> list[dict[str, Any]]:
    """Return the innermost frames."""
    found: list[dict[str, Any]] = []
    frame = gdb.newest_frame()
    while frame is not None and len(found) < int(limit):
        found.append(described(frame, len(found), int(elements), bool(int(with_locals))))
        try:
            frame = frame.older()
        except gdb.error:
            break  # a stack that leads nowhere ends here
    return found


def disassemble(start: str, count: str) -> list[dict[str, Any]]:
    """Return instructions from an address on."""
    architecture = gdb.newest_frame().architecture()
    address = int(gdb.parse_and_eval(start))
    # Unsigned: gdb takes addresses of more than 32 bits for others.
    address %= 1 << 32
    found = architecture.disassemble(address, count=int(count))
    return [described_instruction(one) for one in found]


class Answering(gdb.MICommand):  # type: ignore[misc]  # gdb's types are known to gdb alone
    """An MI command whose answer is one function's result."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        super().__init__(name)
        self.function = function

    def invoke(self, arguments: list[str]) -> dict[str, str]:
        try:
            return {"json": json.dumps(self.function(*arguments))}
        except gdb.error as error:
            raise gdb.GdbError(str(error)) from None


Answering("-harness-evaluate", evaluate)
Answering("-harness-frames", frames)
Answering("-harness-disassemble", disassemble)
