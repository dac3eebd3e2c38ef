"""How a kernel is built, started and spoken to, and the presets that it can be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.image.monitor_command import MonitorCommand


@dataclass(frozen=True)
class Build:
    """How the kernel is built."""

    image: str
    """The ELF that the command leaves, relative to the build folder; without a command the one
    that is there, relative to the description."""
    command: tuple[str, ...] = ()
    """Arguments; ``{source}``, ``{build}`` and ``{variables}`` are replaced."""
    variables: tuple[str, ...] = ()
    """Names of the variables that a user may set."""


@dataclass(frozen=True)
class Boot:
    """How the kernel may be started."""

    paths: tuple[Literal["direct", "multiboot", "iso"], ...] = ("direct", "multiboot", "iso")
    """Ways on which it boots."""


@dataclass(frozen=True)
class Preset:
    """One of the memory managers that the kernel can be."""

    name: str
    """What ``--preset`` takes."""
    append: str = ""
    """Words for the command line."""
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Build variables."""
    searches: bool = False
    """By its design an operation may search all of memory, so that its cost grows with it."""


@dataclass(frozen=True)
class Fuzz:
    """What campaigns try besides what they try on any kernel."""

    append: tuple[str, ...] = ()
    """Command lines, besides those of the presets."""


@dataclass(frozen=True)
class Console:
    """Lines by which the kernel tells how it fares; each pattern is searched in one line."""

    first: re.Pattern[str] | None = None
    """The first line that it prints."""
    ready: re.Pattern[str] | None = None
    """It has come up: the machine is looked at from here on."""
    panic: re.Pattern[str] | None = None
    """May have a group ``message``."""
    refused: re.Pattern[str] | None = None
    """A machine on which the kernel rightly will not work; may have a group ``message``."""
    end: re.Pattern[str] | None = None
    """The last line of a panic's report."""
    device: Literal["serial", "screen"] = "serial"
    """Where the kernel prints these lines: the first serial port, or the VGA text screen."""


@dataclass(frozen=True)
class Monitor:
    """The command line that the kernel offers on its console."""

    prompt: str
    """What it prints when it waits for a command."""
    request: str
    """With ``{tag}`` (a decimal number) and ``{command}``."""
    answer: str
    """Regular expression with ``{tag}`` and the groups ``status`` and ``rest``."""
    read: str | None = None
    """Command by which the CPU reads the 32-bit word at virtual ``{address}``."""
    write: str | None = None
    """The same for writing ``{value}``."""
    value: re.Pattern[str] | None = None
    """Group ``value``: the word that was accessed. An answer without it tells of a fault."""
    commands: tuple[MonitorCommand, ...] = ()
    """Those that a test can give as functions."""


@dataclass(frozen=True)
class Coverage:
    """Where a kernel that was compiled for it notes which ways through its code it goes."""

    map: str
    """An array of bytes at file scope, all 0 at the kernel's entry: a counter for each step from
    one place in the code to the next."""
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Build variables with which it is compiled for that; without any, it always is."""


@dataclass(frozen=True)
class Tape:
    """A boot module full of operations that the kernel carries out at one command.

    The members of its structures have fixed names: those that ``kernel/tape/tape.h`` gives them.
    """

    module: str
    """The last word of the module's string."""
    run: str
    """The monitor's command, with ``{count}``."""
    header: str
    """C type at the module's start, and those of the elements of its three arrays:"""
    operation: str
    """C type."""
    result: str
    """C type."""
    slot: str
    """C type."""
    names: str
    """How the kernel's enumerators are called, with ``{name}``: a kind, a flag, MAGIC or WRONG."""
