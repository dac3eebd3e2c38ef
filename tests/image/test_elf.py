"""Loading kernels: a good one, each way to be bad, and garbage."""

from __future__ import annotations

import contextlib
import pickle
import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.image.elf import ImageError, find_multiboot_flags, load_kernel
from harness.image.kernel_image import KernelImage
from tests.image.compiler import compile_kernel

# Offsets in the ELF32 header and in a program header (ELF specification 1.2, figures 1-3 and 2-1).
E_TYPE, E_MACHINE, E_ENTRY, E_PHOFF, E_PHENTSIZE, E_PHNUM = 16, 18, 24, 28, 42, 44
P_TYPE, P_OFFSET, P_VADDR, P_PADDR, P_FILESZ, P_MEMSZ = 0, 4, 8, 12, 16, 20
PROGRAM_HEADER = 32
MAGIC = 0x1BADB002


def _header(index: int, field: int, contents: bytes) -> int:
    start: int = struct.unpack_from("<I", contents, E_PHOFF)[0]
    return start + index * PROGRAM_HEADER + field


def _with(contents: bytes, offset: int, layout: str, value: int) -> bytes:
    changed = bytearray(contents)
    struct.pack_into(layout, changed, offset, value)
    return bytes(changed)


def _load(tmp_path: Path, contents: bytes) -> KernelImage:
    path = tmp_path / "kernel.elf"
    path.write_bytes(contents)
    return load_kernel(path)


def test_a_kernel_is_what_readelf_says(small_kernel: Path) -> None:
    kernel = load_kernel(small_kernel)
    said = subprocess.run(
        ["readelf", "-lnW", str(small_kernel)], capture_output=True, text=True, check=True
    ).stdout
    loads = re.findall(r"LOAD +\S+ +(\S+) +(\S+) +(\S+) +(\S+) +(.{3})", said)
    assert [
        (s.virtual, s.physical, len(s.data), s.memory_size, s.writable, s.executable)
        for s in kernel.segments
    ] == [(*(int(x, 16) for x in row[:4]), "W" in row[4], "E" in row[4]) for row in loads]
    assert f"Build ID: {kernel.build_id}" in said
    assert f"Entry point {hex(kernel.entry + 0xC0000000)}" in said


def test_the_image_reaches_to_the_end_of_bss(small_kernel: Path) -> None:
    kernel = load_kernel(small_kernel)
    image = kernel.image_range()
    assert image.start == 0x100000
    assert kernel.physical(kernel.symbol("buffer")) + 8192 <= image.stop
    assert image.stop > max(s.physical + len(s.data) for s in kernel.segments)


def test_virtual_addresses_go_by_segment(small_kernel: Path) -> None:
    kernel = load_kernel(small_kernel)
    assert kernel.physical(kernel.symbol("counter")) == kernel.symbol("counter") - 0xC0000000
    with pytest.raises(LookupError, match="lies in no segment"):
        kernel.physical(0xC0000000)


def test_a_kernel_can_be_sent_to_another_process(small_kernel: Path) -> None:
    kernel = load_kernel(small_kernel)
    kernel.types.construct("unsigned int")
    kernel.source_line(kernel.symbol("twice"))
    copy = pickle.loads(pickle.dumps(kernel))
    assert copy == kernel
    assert hash(copy) == hash(kernel)
    assert copy.symbols == kernel.symbols


@pytest.mark.parametrize("virtual", [0x100000, 0xC0100000])
def test_the_entry_is_physical_however_it_was_linked(tmp_path: Path, virtual: int) -> None:
    path = compile_kernel(tmp_path, "void _start(void) { for (;;); }", virtual=virtual)
    kernel = load_kernel(path)
    assert kernel.entry == kernel.symbol("_start") - virtual + 0x100000


def test_an_entry_that_is_physical_already_stays(small_kernel: Path, tmp_path: Path) -> None:
    contents = _with(small_kernel.read_bytes(), E_ENTRY, "<I", 0x10000C)
    assert _load(tmp_path, contents).entry == 0x10000C


def test_without_a_build_id_the_contents_identify_a_kernel(
    small_kernel: Path, tmp_path: Path
) -> None:
    contents = small_kernel.read_bytes().replace(b"GNU\0", b"XYZ\0")
    one = _load(tmp_path, contents).build_id
    other = _load(tmp_path, contents + b"\0").build_id
    assert len(one) == len(other) == 40
    assert one != other


BAD_KERNELS: dict[str, Callable[[bytes], bytes]] = {
    "not an ELF file": lambda good: b"#!/bin/sh\nexit 0\n" * 10,
    "truncated": lambda good: good[:40],
    "truncated: a segment's bytes": lambda good: good[:0x1004],
    "truncated: program header 0": lambda good: _with(good, E_PHOFF, "<I", len(good) - 4),
    "64-bit ELF": lambda good: _with(good, 4, "<B", 2),
    "not a 32-bit little-endian": lambda good: _with(good, 5, "<B", 2),
    "built for EM_ARM": lambda good: _with(good, E_MACHINE, "<H", 40),
    "not an executable": lambda good: _with(good, E_TYPE, "<H", 3),
    "program headers of 4 bytes": lambda good: _with(good, E_PHENTSIZE, "<H", 4),
    "no PT_LOAD segment": lambda good: _with(good, E_PHNUM, "<H", 0),
    "wrong checksum": lambda good: _with(good, good.index(struct.pack("<I", MAGIC)) + 8, "<I", 1),
    "no Multiboot 1 header": lambda good: good.replace(struct.pack("<I", MAGIC), b"none"),
    "more bytes in the file than": lambda good: _with(good, _header(0, P_MEMSZ, good), "<I", 1),
    "ends beyond 4 GiB": lambda good: _with(good, _header(1, P_PADDR, good), "<I", 0xFFFFF000),
    "overlap": lambda good: _with(good, _header(1, P_PADDR, good), "<I", 0x100010),
    "lies in no PT_LOAD segment": lambda good: _with(good, E_ENTRY, "<I", 0x12345678),
    "requires unknown features (flags 0x20)": lambda good: good.replace(
        struct.pack("<III", MAGIC, 0, -MAGIC % 2**32),
        struct.pack("<III", MAGIC, 0x21, -(MAGIC + 0x21) % 2**32),
    ),
    "load addresses of its own": lambda good: good.replace(
        struct.pack("<III", MAGIC, 0, -MAGIC % 2**32),
        struct.pack("<III", MAGIC, 1 << 16, -(MAGIC + (1 << 16)) % 2**32),
    ),
}
"""Each sentence that must be said → what makes a good kernel deserve it."""


@pytest.mark.parametrize("sentence", BAD_KERNELS)
def test_bad_kernels_are_told_apart(small_kernel: Path, tmp_path: Path, sentence: str) -> None:
    contents = BAD_KERNELS[sentence](small_kernel.read_bytes())
    with pytest.raises(ImageError, match=re.escape(sentence)) as caught:
        _load(tmp_path, contents)
    assert str(tmp_path / "kernel.elf") in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        load_kernel(tmp_path / "missing")
    with pytest.raises(ImageError, match="Is a directory"):
        load_kernel(tmp_path)


def test_the_multiboot_header_must_lie_in_the_first_8_kib() -> None:
    header = struct.pack("<III", MAGIC, 3, -(MAGIC + 3) % 2**32)
    assert find_multiboot_flags(bytes(8192 - 12) + header) == 3
    for before in (8192 - 8, 8192, 2, 1):
        with pytest.raises(ImageError, match="no Multiboot 1 header"):
            find_multiboot_flags(bytes(before) + header)


def test_a_magic_by_chance_before_the_header_is_passed_over() -> None:
    header = struct.pack("<III", MAGIC, 3, -(MAGIC + 3) % 2**32)
    assert find_multiboot_flags(struct.pack("<II", MAGIC, 7) + bytes(8) + header) == 3


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_garbage_is_refused_or_usable(small_kernel_bytes: bytes, data: st.DataObject) -> None:
    """A damaged kernel gives an ImageError, or an image whose every question has an answer."""
    size = len(small_kernel_bytes)
    places = st.one_of(st.integers(0, 200), st.integers(0, size - 1))
    changes = data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8))
    end = data.draw(st.one_of(st.just(size), st.integers(0, size)))
    contents = bytearray(small_kernel_bytes)
    for place, value in changes:
        contents[place] = value
    _interrogate(bytes(contents[:end]))


def _interrogate(contents: bytes) -> None:
    path = Path("/proc/self/fd/0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.image.elf._read", lambda path: contents)
        try:
            kernel = load_kernel(path)
        except ImageError:
            return
    kernel.image_range()
    kernel.function_at(0xC0100010)
    kernel.source_line(0xC0100010)
    for name in kernel.types.names:
        with contextlib.suppress(TypeError, ImageError):
            assert kernel.types.dtype(name).itemsize == kernel.types.construct(name).sizeof()


@pytest.fixture(scope="module")
def small_kernel_bytes(small_kernel: Path) -> bytes:
    return small_kernel.read_bytes()
