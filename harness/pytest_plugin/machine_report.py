"""What there is to say of a guest when its test has failed."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Callable, Iterator

import pytest

from harness.check.checked_guest import CheckedGuest
from harness.image.errors import DescriptionError
from harness.machine.ending import Ending
from harness.machine.errors import MachineError
from harness.machine.spec import MachineSpec
from harness.pytest_plugin.settings import PREFIX
from harness.ram.protocol import RamError
from harness.report.map_text import map_text
from harness.report.reproduce import command_line, fill_text, left_out, program
from harness.report.units import size

CONSOLE_LINES = 40
_MACHINE_FLAGS = "--" + PREFIX.replace("_", "-")
FLAGS = (_MACHINE_FLAGS, "--rootdir", "-c", "--config-file", "-o", "--override-ini")
"""What of pytest's command line decides how a test's machine is made."""
UNREADABLE = (DescriptionError, MachineError, OSError, RamError)
"""What can go wrong when the rest of a broken machine is looked at."""


def machine_report(item: pytest.Item, guest: CheckedGuest) -> dict[str, str]:
    """Return title and text of each section; empty texts where there is nothing to say."""
    return dict(_sections(item, guest))


def _sections(item: pytest.Item, guest: CheckedGuest) -> Iterator[tuple[str, str]]:
    try:
        ending = guest.look()
        end = _ending(ending)
    except UNREADABLE as error:
        ending, end = None, f"cannot be told: {error}"
    yield "how it ended", f"{_machine(guest.spec)}\n{end}"
    yield "backtrace", _attempt(lambda: _backtrace(guest, ending))
    yield "registers", _attempt(lambda: _registers(guest, ending))
    yield "console", guest.console.tail(CONSOLE_LINES)
    yield "screen", _attempt(lambda: guest.screen.text if guest.screen.present else "")
    yield "memory map", map_text(guest.memory_map) if guest.information else ""
    yield "violations", _attempt(lambda: _violations(guest))
    yield "reproduce", _reproduce(item, guest.spec)


def _attempt(look: Callable[[], str]) -> str:
    try:
        return look()
    except UNREADABLE as error:
        return f"cannot be told: {error}"


def _machine(spec: MachineSpec) -> str:
    chosen = f"map {spec.map.name or '(given)'}" if spec.map else "no map of its own"
    words = f", append {spec.append!r}" if spec.append else ""
    parts = (size(spec.memory), chosen, spec.boot.value, spec.cpu, fill_text(spec.fill))
    return ", ".join(parts) + words


def _ending(ending: Ending | None) -> str:
    if ending is None:
        return "It had not ended: it was running, or paused by the test."
    return f"{ending.kind.value}: {ending.message}"


def _backtrace(guest: CheckedGuest, ending: Ending | None) -> str:
    if ending is None:
        with guest.paused():
            return "\n".join(map(str, guest.backtrace()))
    return "\n".join(map(str, ending.backtrace))


def _registers(guest: CheckedGuest, ending: Ending | None) -> str:
    if ending is None:
        with guest.paused():
            return str(guest.registers())
    return str(ending.registers) if ending.registers else ""


def _violations(guest: CheckedGuest) -> str:
    """Return what is wrong with memory, once the kernel has been ready."""
    ready = guest.kernel.description.console.ready
    if ready is None or not any(map(ready.search, guest.console.log.text().splitlines())):
        return ""
    violations = guest.inspect().violations
    return "\n".join(map(str, violations)) or "none"


def _reproduce(item: pytest.Item, spec: MachineSpec) -> str:
    """Return the commands that run this test, and boot this machine, again."""
    lines = [shlex.join([program("pytest"), _test_id(item), *_flags(item.config)])]
    lines.append(command_line(spec))
    if missing := left_out(spec):
        lines.append(f"  (without {', '.join(missing)}, which the command line cannot say)")
    return "\n".join(lines)


def _test_id(item: pytest.Item) -> str:
    """Return what to give to pytest where it was started; a node's own id begins at the root."""
    file = os.path.relpath(item.path, item.config.invocation_params.dir)
    return "::".join([file, *item.nodeid.split("::")[1:]])


def _flags(config: pytest.Config) -> Iterator[str]:
    """Yield the flags that pytest was given about machines, and about its own settings."""
    arguments = map(str, config.invocation_params.args)
    for argument in arguments:
        if argument.startswith(FLAGS):
            yield argument
            if _takes_next(config, argument):
                yield from itertools.islice(arguments, 1)


def _takes_next(config: pytest.Config, argument: str) -> bool:
    """Return whether a flag's value is the next argument: it has none yet, and is no switch."""
    if not argument.startswith("--"):
        return len(argument) == len("-o")
    return "=" not in argument and not isinstance(config.getoption(argument), bool)
