"""Pretty-printers for the kernel's own types, which the harness knows by their description."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gdb

from harness.debug.gdb_side.client import AskError, ask
from harness.debug.gdb_side.wire import Message

MOST_LINKS = 10_000
"""Links of a list that are followed."""

_records: set[str] = set()
_links: dict[str, Message] = {}


def learn(printers: Message) -> None:
    """Take over which types have words; those of another kernel are forgotten."""
    _records.clear()
    _records.update(str(name) for name in printers.get("records", []))
    _links.clear()
    _links.update({str(one["type"]): one for one in printers.get("links", [])})
    if find_printer not in gdb.pretty_printers:
        gdb.pretty_printers.append(find_printer)


def find_printer(value: gdb.Value) -> Any:
    """Return what prints a value of the kernel's own types, None for others."""
    if value.type.strip_typedefs().code != gdb.TYPE_CODE_STRUCT or value.address is None:
        return None
    name = str(value.type.strip_typedefs().unqualified())
    if name in _records:
        return _Printer(value, _words(name, value))
    if name in _links:
        return _Printer(value, _ring(value, _links[name]))
    return None


class _Printer:
    """A structure with words in front of its members."""

    def __init__(self, value: gdb.Value, words: str) -> None:
        self._value = value
        self._words = words

    def to_string(self) -> str:
        """Return the words."""
        return f"<{self._words}>" if self._words else ""

    def children(self) -> Iterator[tuple[str, gdb.Value]]:
        """Yield the members as gdb would print them."""
        for member in self._value.type.strip_typedefs().fields():
            yield member.name or "<anonymous>", self._value[member]


def _words(name: str, value: gdb.Value) -> str:
    try:
        data = gdb.selected_inferior().read_memory(int(value.address), value.type.sizeof)
        return str(ask("describe", arguments=[name, bytes(data).hex()])["words"])
    except (gdb.error, AskError):
        return ""


def _ring(value: gdb.Value, links: Message) -> str:
    """Say how many links a circular list has, or where it breaks."""
    start = before = int(value.address)
    link = value
    for count in range(MOST_LINKS):
        try:
            address = int(link[links["next"]])
            if address == 0 and count == 0:
                return "on no list"
            link = link[links["next"]].dereference()
            back = int(link[links["previous"]]) if links["previous"] else before
        except gdb.error:
            return f"a list that leads nowhere after {count} links"
        if back != before:
            return f"a list whose link at {address:#x} points back to {back:#x}, not {before:#x}"
        if address == start:
            return f"on a list of {count + 1}" if count else "empty list"
        before = address
    return f"a list of more than {MOST_LINKS} links"
