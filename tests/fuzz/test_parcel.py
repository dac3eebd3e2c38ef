"""What travels arrives: a kernel that is the same, and files that take no more room."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from harness.fuzz import parcel
from harness.fuzz.parcel import pack_folder, pack_subject, unpack_file, unpack_subject
from harness.fuzz.subject import Source, Subject
from harness.image.kernel_image import KernelImage


def test_a_kernel_arrives_where_its_own_files_are_not(kernel: KernelImage, tmp_path: Path) -> None:
    description = tmp_path / "source" / "harness.toml"
    description.parent.mkdir()
    description.write_text('name = "strange"\n')
    sent = dataclasses.replace(
        kernel,
        path=tmp_path / "source" / "kernel.elf",
        description=dataclasses.replace(kernel.description, path=description),
    )
    packed = pack_subject(Subject(sent, Source.NONE))
    description.unlink()
    subject, names = unpack_subject(packed, tmp_path / "here")
    arrived = subject.kernel
    assert arrived.path.read_bytes() == kernel.contents
    assert arrived.description.path is not None
    assert arrived.description.path.read_text() == 'name = "strange"\n'
    assert names == {
        str(arrived.path): str(sent.path),
        str(arrived.description.path): str(description),
    }
    assert arrived.symbols == kernel.symbols
    assert arrived.digest == kernel.digest


def test_the_bundled_kernel_is_the_bundled_one_there(kernel: KernelImage, tmp_path: Path) -> None:
    packed = pack_subject(Subject(kernel, Source.COMPILER, plain=kernel))
    subject, _ = unpack_subject(packed, tmp_path)
    arrived = subject.kernel
    assert subject.plain is not None
    assert subject.plain.path != arrived.path
    assert arrived.description.bundled
    assert dataclasses.replace(arrived, path=kernel.path) == kernel


def test_files_arrive_with_their_holes_and_with_names_as_they_are_here(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (there / "finding.txt").write_text(f"again: replay {there}/case.json\n")
    (there / "memory.core").write_bytes(b"core" + bytes(1 << 20) + b"end" + bytes(1 << 20))
    for name, packed in pack_folder(there, {str(there): str(here)}).items():
        unpack_file(here / name, packed)
    assert (here / "finding.txt").read_text() == f"again: replay {here}/case.json\n"
    core = here / "memory.core"
    assert core.read_bytes() == (there / "memory.core").read_bytes()
    assert core.stat().st_blocks * 512 < 1 << 20


def test_a_file_that_is_too_large_stays_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcel, "LARGEST_FILE", 1 << 16)
    (tmp_path / "memory.core").write_bytes(os.urandom(1 << 17))
    (tmp_path / "console.log").write_text("ready")
    packed = pack_folder(tmp_path, {})
    assert packed["memory.core"] == b""
    unpack_file(tmp_path / "again", packed["console.log"])
    assert (tmp_path / "again").read_text() == "ready"
