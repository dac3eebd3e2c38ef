"""What can be said of the machines of a test, and in which places it is said.

One name each: ``memory`` is the flag ``--mm-memory``, the ini key, fixture and parametrize id
``mm_memory``, and the argument ``memory`` of ``@pytest.mark.machine``. Where it is said in several
places, this order holds: parametrization, the marker closest to the test, the flag, the ini file.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from _pytest.nodes import Node

PREFIX = "mm_"
MARKER = "machine"


@dataclass(frozen=True)
class Setting:
    """One property of a machine or its kernel."""

    name: str
    metavar: str
    help: str
    separated: bool = False
    """Whether text holds several values with commas between them."""
    switch: bool = False
    """Whether it is only on or off."""
    of_kernel: bool = False
    """Whether it decides which kernel is built; such fixtures are the session's."""
    joined: bool = False
    """Whether several values together are one: they are no alternatives."""

    @property
    def fixture(self) -> str:
        """Name of the fixture, ini key and parametrize argument."""
        return PREFIX + self.name

    @property
    def scope(self) -> Literal["session", "function"]:
        """The fixture's scope: a kernel is the session's."""
        return "session" if self.of_kernel else "function"

    @property
    def flag(self) -> str:
        """Name of the command line's flag."""
        return "--" + self.fixture.replace("_", "-")


SETTINGS = (
    Setting("kernel", "PATH", "a harness.toml, a folder with one, or a Multiboot ELF; without it "
            "harness.toml beside the ini file, or else the bundled kernel", of_kernel=True),
    Setting("build", "NAME=VALUE", "a build variable, such as CC=clang", of_kernel=True,
            joined=True),
    Setting("preset", "NAME", "one of the memory managers that the kernel can be, by its "
            "description", of_kernel=True),
    Setting("memory", "SIZE", "RAM: 64M, 1G; auto for as much as the map claims", separated=True),
    Setting("map", "MAP", "a memory map: a name of 'harness maps list', a file, or the compact "
            "notation; 'all' for the library"),
    Setting("exact", "", "do not scale a map that claims more than the memory", switch=True),
    Setting("boot", "PATH", "direct, multiboot, iso, or all", separated=True),
    Setting("cpu", "MODEL", "QEMU's CPU model"),
    Setting("fill", "FILL", "what RAM holds at power-on: zero, poison, random[:SEED]",
            separated=True),
    Setting("append", "WORDS", "words for the kernel's command line"),
    Setting("icount", "", "count instructions: repeatable, a little slower", switch=True),
)  # fmt: skip
BY_NAME = {setting.name: setting for setting in SETTINGS}

OBJECTS = ("firmware", "modules", "shape", "cutmem")
"""Attributes of ``MachineSpec`` that only the marker and ``boot()`` take, as Python objects."""


def marked(node: Node) -> dict[str, Any]:
    """Return what the markers of a test, its class and its module say; the closest wins."""
    said: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers(MARKER))):
        if mark.args:
            pytest.fail(f"@pytest.mark.{MARKER} takes arguments by name only", pytrace=False)
        check_names(mark.kwargs, f"@pytest.mark.{MARKER}")
        said.update(mark.kwargs)
    return said


def check_names(values: Mapping[str, Any], where: str) -> None:
    """Fail for an argument that there is not, with the nearest that there is."""
    known = (*BY_NAME, *OBJECTS)
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            pytest.fail(f"{where} has no argument {name!r}; {hint}", pytrace=False)


def configured(config: pytest.Config, setting: Setting) -> Any:
    """Return what the flags say, or else the ini file: a list of texts; of a switch, whether."""
    flag = config.getoption(setting.fixture)
    return config.getini(setting.fixture) if flag is None else flag


def alternatives(setting: Setting, value: Any) -> list[Any]:
    """Return the values that a test is to be run with, one after another; at least one, or none.

    A joined setting's texts, and a mapping, are one value.
    """
    if isinstance(value, (list, tuple)):
        if setting.joined and all(isinstance(one, str) for one in value):
            return [list(value)] if value else []
        return [part for one in value for part in alternatives(setting, one)]
    if setting.separated and isinstance(value, str):
        return list(_split(setting, value))
    return [value]


def _split(setting: Setting, text: str) -> Iterator[str]:
    if setting.name == "boot" and text == "all":
        yield from ("direct", "multiboot", "iso")
    else:
        yield from (part.strip() for part in text.split(","))
