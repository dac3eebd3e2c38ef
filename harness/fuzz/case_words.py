"""A case in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from harness.check.runs import counted
from harness.fuzz.case import Case
from harness.machine.shape import BootInformationShape
from harness.report.reproduce import fill_text
from harness.report.units import size
from harness.workload.operation import in_words, operations

SHOWN = 5
"""Operations that one line tells."""


def case_in_words(case: Case) -> str:
    """Return what a person would say a case is, in one line."""
    entries = len(case.map.entries)
    words = [f"{size(case.memory)} of RAM", f"{entries} map entr{'y' if entries == 1 else 'ies'}"]
    if case.modules:
        *others, last = (len(module.data) for module in case.modules)
        lengths = " and ".join([*map(str, others), counted(last, "byte")])
        words.append(f"{'a module' if len(case.modules) == 1 else 'modules'} of {lengths}")
    if case.append:
        words.append(f"the command line {case.append!r}")
    if case.shape != BootInformationShape():
        words.append("an unusual form of the boot information")
    if case.steps:
        done = ", ".join(in_words(one) for one in operations(case.steps)[:SHOWN])
        more = ", …" if len(case.steps) > SHOWN else ""
        words.append(f"{counted(len(case.steps), 'operation')}: {done}{more}")
    return ", ".join(words)


def machine_in_words(case: Case) -> Iterator[str]:
    """Yield lines that say everything of a case but its map."""
    yield f"RAM: {size(case.memory)}, at power-on {fill_text(case.fill)}"
    yield f"CPU: {case.cpu}; boot path: {case.boot.value}"
    yield f"command line: {case.append or '(none)'}"
    for index, module in enumerate(case.modules):
        yield f"module {index}: {len(module.data)} bytes, string {module.string!r}"
    if case.steps:
        yield f"module {len(case.modules)}: the tape, with the operations below"
    plain = BootInformationShape()
    for field in fields(plain):
        value = getattr(case.shape, field.name)
        if value != getattr(plain, field.name):
            yield f"boot information: {field.name} = {_in_hex(field.name, value)}"
    for index, one in enumerate(operations(case.steps) if case.steps else ()):
        yield f"operation {index}: {in_words(one)}"


def _in_hex(name: str, value: object) -> str:
    if not name.endswith(("address", "addresses")):
        return str(value)
    if isinstance(value, tuple):
        return ", ".join(_in_hex(name, one) for one in value)
    return f"0x{value:x}" if isinstance(value, int) else "chosen"
