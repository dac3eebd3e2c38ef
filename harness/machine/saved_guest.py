"""A guest that was saved to a file, with all that is needed to decode and check it."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.image.description import Description, load_description
from harness.image.elf import load_kernel
from harness.image.errors import DescriptionError, ImageError
from harness.image.kernel_image import KernelImage
from harness.machine.core_file import FORMAT, OWNER, NoteType
from harness.machine.errors import MachineError
from harness.machine.multiboot import Placement
from harness.machine.registers import Registers
from harness.maps.json_form import parse_json
from harness.maps.memory_map import MemoryMap
from harness.maps.syntax import MapSyntaxError
from harness.ram.core_notes import Note, read_notes
from harness.ram.mapped import MappedRam
from harness.ram.saved import load_core


class CoreError(MachineError):
    """A core that was not written by a guest's ``save_core``, or is damaged."""


@dataclass(frozen=True)
class SavedGuest:
    """What a guest was when it was saved; its RAM is a private copy."""

    kernel: KernelImage
    moment: str
    """``ready``, or the moment of the kernel's description at which it was."""
    ram: MappedRam
    memory_map: MemoryMap
    """The map as the kernel was given it."""
    placements: tuple[Placement, ...]
    machine: dict[str, Any]
    """The machine, as :func:`harness.machine.spec_json.spec_json` puts it."""
    saved_registers: Registers

    def registers(self) -> Registers:
        """Return the CPU's registers."""
        return self.saved_registers


def load_guest(path: Path, description: Description | None = None) -> SavedGuest:
    """Return the guest in ``path``; a ``description`` takes the place of the saved one.

    The kernel is the saved one in any case. Raise :class:`CoreError` or
    :class:`harness.ram.protocol.RamError`.
    """
    notes = read_notes(path, OWNER)
    document = _Document(path, _json(path, notes))
    kernel = _kernel(document, notes, description)
    return SavedGuest(
        kernel=kernel,
        moment=document.text("moment"),
        ram=load_core(path),
        memory_map=document.memory_map("map"),
        placements=document.placements("placements", _contents(notes, NoteType.PLACEMENT)),
        machine=document.table("machine"),
        saved_registers=document.registers("registers"),
    )


def _json(path: Path, notes: Sequence[Note]) -> Any:
    texts = _contents(notes, NoteType.GUEST)
    if not texts:
        raise CoreError(f"{path}: it has no note of {OWNER}: it was saved by another program")
    try:
        return json.loads(texts[0])
    except (ValueError, RecursionError) as error:
        raise CoreError(f"{path}: its note of {OWNER} is damaged: {error}") from None


def _contents(notes: Sequence[Note], kind: NoteType) -> list[bytes]:
    return [note.contents for note in notes if note.type == kind]


def _kernel(
    document: _Document, notes: Sequence[Note], description: Description | None
) -> KernelImage:
    """Return the saved kernel, as if it were still where it was."""
    images = _contents(notes, NoteType.KERNEL)
    if not images:
        raise CoreError(f"{document.path}: the kernel is missing in its notes")
    facts = document.part("machine").part("kernel")
    with tempfile.TemporaryDirectory() as folder:
        if description is None:
            description = _description(facts, notes, Path(folder) / "harness.toml")
        copy = Path(folder) / "kernel.elf"
        copy.write_bytes(images[0])
        try:
            kernel = load_kernel(copy, description)
        except ImageError as error:
            raise _inside(document.path, folder, error) from None
    variables = tuple((str(name), str(value)) for name, value in facts.table("variables").items())
    return dataclasses.replace(kernel, path=Path(facts.text("path")), variables=variables)


def _description(facts: _Document, notes: Sequence[Note], copy: Path) -> Description:
    texts = _contents(notes, NoteType.DESCRIPTION)
    if not texts:
        return Description.none()
    copy.write_bytes(texts[0])
    try:
        described = load_description(copy)
    except DescriptionError as error:
        raise _inside(facts.path, str(copy.parent), error) from None
    return dataclasses.replace(described, path=Path(facts.text("description")))


def _inside(core: Path, folder: str, error: Exception) -> CoreError:
    """Return what is wrong with a file that the core holds, without the copy's folder."""
    return CoreError(f"{core}: what it holds of the kernel: {str(error).replace(f'{folder}/', '')}")


@dataclass(frozen=True)
class _Document:
    """JSON values of a core; every access says what is wrong with one that does not fit."""

    path: Path
    value: Any

    def __post_init__(self) -> None:
        if not isinstance(self.value, dict):
            raise self.error("it", "an object")
        number = self.value.get("format", FORMAT)
        if number != FORMAT:
            raise CoreError(f"{self.path}: format {number!r}; this program reads {FORMAT}")

    def error(self, what: str, wanted: str) -> CoreError:
        return CoreError(f"{self.path}: its note of {OWNER} is damaged: {what} is not {wanted}")

    def _get(self, key: str, kind: type, wanted: str) -> Any:
        value = self.value.get(key)
        if type(value) is not kind:
            raise self.error(key, wanted)
        return value

    def text(self, key: str) -> str:
        found: str = self._get(key, str, "a string")
        return found

    def number(self, key: str) -> int:
        found: int = self._get(key, int, "a number")
        if not 0 <= found < 1 << 64:
            raise self.error(key, "a number of 64 bits")
        return found

    def table(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self._get(key, dict, "an object")
        return found

    def part(self, key: str) -> _Document:
        return _Document(self.path, self.table(key))

    def parts(self, key: str) -> list[_Document]:
        return [_Document(self.path, item) for item in self._get(key, list, "a list")]

    def memory_map(self, key: str) -> MemoryMap:
        try:
            return parse_json(json.dumps(self.table(key)), f"{self.path}: {key}")[0]
        except MapSyntaxError as error:
            raise CoreError(str(error)) from None

    def placements(self, key: str, contents: Sequence[bytes]) -> tuple[Placement, ...]:
        parts = self.parts(key)
        if len(parts) != len(contents):
            raise self.error(key, f"as long as there are contents: {len(contents)}")
        return tuple(
            Placement(one.text("name"), one.number("start"), one.number("length"), data)
            for one, data in zip(parts, contents, strict=True)
        )

    def registers(self, key: str) -> Registers:
        values = self.part(key)
        names = [item.name for item in dataclasses.fields(Registers)]
        return Registers(**{name: values.number(name) for name in names})
