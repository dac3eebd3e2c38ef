"""A recording in one file: a ZIP archive with the log, the machine, its kernel and its modules.

Like a core it holds the kernel as it was, so that it can be replayed when that has changed.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from harness.image.description import Description, load_description
from harness.image.elf import load_kernel
from harness.image.errors import DescriptionError, ImageError
from harness.image.kernel_image import KernelImage
from harness.machine.errors import SpecError
from harness.machine.recording import Recording
from harness.machine.saved_spec import spec_from_json
from harness.machine.spec import BootPath, Module
from harness.machine.spec_json import spec_json
from harness.machine.whole_file import whole_file

MAGIC = b"PK\x03\x04"
FORMAT = 1
"""Of the archive; another number means that an older program cannot read it."""
LARGEST = 1 << 30
"""Bytes of one member."""

_MACHINE, _LOG, _KERNEL, _DESCRIPTION = "machine.json", "log", "kernel.elf", "harness.toml"


def save_recording(path: Path, recording: Recording) -> None:
    """Write a recording to ``path``, which is there whole or not at all; raise ``OSError``."""
    spec, kernel = recording.spec, recording.spec.kernel
    document = {"format": FORMAT, "length": recording.length, "machine": spec_json(spec)}
    with whole_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_MACHINE, json.dumps(document, indent=1))
        archive.writestr(_LOG, recording.log)
        archive.writestr(_KERNEL, kernel.contents)
        if kernel.description.path is not None:
            archive.writestr(_DESCRIPTION, kernel.description.path.read_bytes())
        for index, module in enumerate(spec.modules):
            archive.writestr(_module(index), module.data)


def is_recording(path: Path) -> bool:
    """Return whether a file begins as a recording does; raise ``OSError``."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def load_recording(path: Path) -> Recording:
    """Read a recording; raise :class:`SpecError` for a file that is none, or is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {item.filename: _read(path, archive, item) for item in archive.infolist()}
        document = json.loads(members[_MACHINE])
        if document["format"] != FORMAT:
            raise SpecError(f"{path}: format {document['format']}; this program reads {FORMAT}")
        machine: dict[str, Any] = document["machine"]
        kernel = _kernel(path, machine["kernel"], members)
        modules = [
            Module(members[_module(index)], str(facts["string"]))
            for index, facts in enumerate(machine["modules"])
        ]
        length, log = int(document["length"]), members[_LOG]
    except (KeyError, TypeError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise SpecError(f"{path}: no recording, or a damaged one: {error}") from None
    spec = spec_from_json(path, machine, kernel, modules)
    if spec.boot is not BootPath.DIRECT and not _is_there(kernel):
        raise SpecError(
            f"{path}: QEMU's loader takes the kernel from {kernel.path}, which has changed"
        )
    return Recording(spec, log, length)


def _is_there(kernel: KernelImage) -> bool:
    try:
        return kernel.path.read_bytes() == kernel.contents
    except OSError:
        return False


def _read(path: Path, archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> bytes:
    if item.file_size > LARGEST:
        raise SpecError(f"{path}: {item.filename} has more than {LARGEST} bytes")
    return archive.read(item)


def _module(index: int) -> str:
    return f"modules/{index}"


def _kernel(path: Path, facts: dict[str, Any], members: dict[str, bytes]) -> KernelImage:
    """Return the kernel, as if it were still where it was."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            kernel = load_kernel(
                _put(folder, _KERNEL, members), _description(folder, facts, members)
            )
        except (DescriptionError, ImageError) as error:
            said = str(error).replace(f"{folder}/", "")
            raise SpecError(f"{path}: what it holds of the kernel: {said}") from None
    variables = tuple((str(name), str(value)) for name, value in facts["variables"].items())
    return dataclasses.replace(kernel, path=Path(facts["path"]), variables=variables)


def _description(folder: str, facts: dict[str, Any], members: dict[str, bytes]) -> Description:
    if _DESCRIPTION not in members:
        return Description.none()
    described = load_description(_put(folder, _DESCRIPTION, members))
    return dataclasses.replace(described, path=Path(str(facts["description"])))


def _put(folder: str, name: str, members: dict[str, bytes]) -> Path:
    path = Path(folder) / name
    path.write_bytes(members[name])
    return path
