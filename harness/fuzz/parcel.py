"""What travels between machines that share no files: a kernel, and a folder's files."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from harness.fuzz.subject import Subject
from harness.image.find import FILE
from harness.image.kernel_image import KernelImage
from harness.machine.whole_file import whole_file

LARGEST_FILE = 128 << 20
"""Bytes, compressed, that a file may have to travel: a core of random bytes is as large as RAM."""
_TEXT = {".json", ".log", ".py", ".svg", ".txt"}
"""Files in which paths of another machine would mislead people."""
_CHUNK = 1 << 16
_Kernel = tuple[KernelImage, bytes | None, bool]
"""A kernel, the text of its description, and whether that is bundled."""
_LEVEL = 1  # of zlib: most of a core is one pattern


def pack_subject(subject: Subject) -> bytes:
    """Return a campaign's kernels with the texts of their descriptions.

    Raise ``OSError`` when one of these has gone.
    """
    kernels = [_with_text(kernel) for kernel in (subject.kernel, subject.plain) if kernel]
    return zlib.compress(pickle.dumps((subject.source, kernels)), _LEVEL)


def _with_text(kernel: KernelImage) -> _Kernel:
    path = kernel.description.path
    text = None if path is None else path.read_bytes()
    return kernel, text, kernel.description.bundled


def unpack_subject(packed: bytes, folder: Path) -> tuple[Subject, Mapping[str, str]]:
    """Return the kernels with their files below ``folder``, and what each was called where it was.

    The bundled kernel's description is the one that is bundled here.
    """
    source, kernels = pickle.loads(zlib.decompress(packed))  # noqa: S301 - one program, one user
    found: list[KernelImage] = []
    names: dict[str, str] = {}
    for number, kernel in enumerate(kernels):
        arrived, its_names = _unpack_kernel(kernel, folder / str(number))
        found.append(arrived)
        names |= its_names
    return Subject(found[0], source, found[1] if found[1:] else None), names


def _unpack_kernel(packed: _Kernel, folder: Path) -> tuple[KernelImage, dict[str, str]]:
    kernel, text, bundled = packed
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / kernel.path.name
    path.write_bytes(kernel.contents)
    names = {str(path): str(kernel.path.absolute())}
    description = kernel.description
    if text is not None and not bundled:
        (folder / FILE).write_bytes(text)
        names[str(folder / FILE)] = str(description.path)
        description = replace(description, path=folder / FILE)
    return replace(kernel, path=path, description=description), names


def pack_folder(folder: Path, names: Mapping[str, str]) -> dict[str, bytes]:
    """Return each file of a folder, compressed, with ``names`` of places changed in its text.

    A file that is too large has nothing in place of its contents.
    """
    return {path.name: _pack(path, names) for path in sorted(folder.iterdir()) if path.is_file()}


def _pack(path: Path, names: Mapping[str, str]) -> bytes:
    if path.suffix in _TEXT:
        data = path.read_bytes()
        for here, there in names.items():
            data = data.replace(here.encode(), there.encode())
        return zlib.compress(data, _LEVEL)
    packer = zlib.compressobj(_LEVEL)
    packed = bytearray()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            packed += packer.compress(chunk)
            if len(packed) > LARGEST_FILE:
                return b""
    return bytes(packed + packer.flush())


def unpack_file(path: Path, packed: bytes) -> None:
    """Write a file of a folder that was packed, whole or not at all; zeros take no room.

    Raise ``OSError``.
    """
    with whole_file(path, buffering=0) as file:
        for chunk in _unpacked(packed):
            if chunk.count(0) == len(chunk):
                file.seek(len(chunk), 1)
            else:
                file.write(chunk)
        file.truncate(file.tell())


def _unpacked(packed: bytes) -> Iterator[bytes]:
    unpacker = zlib.decompressobj()
    while not unpacker.eof:
        yield unpacker.decompress(packed, _CHUNK)
        packed = unpacker.unconsumed_tail
