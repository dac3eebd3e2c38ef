"""``harness init``: a description of a stranger's kernel that works at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.image.find import load_or_build
from harness.image.kernel_image import KernelImage
from tests.cli.conftest import Run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def init_and_inspect(run: Run, folder: Path, image: Path, *more: str) -> str:
    """Write a first description of a kernel that lies elsewhere, and return what is inspected."""
    (folder / "sub").mkdir()
    shutil.copy(image, folder / "sub" / "kernel.elf")
    written = run("init", "sub/kernel.elf")
    assert written.returncode == 0, written.stderr
    assert "likely" in written.stdout
    found = run("inspect", "--kernel", "harness.toml", "--memory", "32M", *more)
    assert found.returncode in (0, 1), found.stderr
    assert "Traceback" not in found.stderr
    return found.stdout


def test_a_stack_of_free_frames(harness: Run, tmp_path: Path) -> None:
    kernel = load_or_build(EXAMPLES / "frame-stack", {})
    said = init_and_inspect(harness, tmp_path, kernel.path)
    assert "free lists of free_frames" in said
    assert said.rstrip().endswith("no violations")


@pytest.mark.slow
def test_a_bitmap_and_a_frame_table_under_pae(harness: Run, tmp_path: Path) -> None:
    kernel = load_or_build(EXAMPLES / "pae", {})
    said = init_and_inspect(harness, tmp_path, kernel.path)
    assert "page tables: PAE" in said
    assert "bitmap of free_bits: 196352 frames from 256" in said
    assert "frame table: 196352 frames from 256" in said


def test_a_buddy_allocator(harness: Run, tmp_path: Path, kernel: KernelImage) -> None:
    said = init_and_inspect(harness, tmp_path, kernel.path)
    assert "free lists of zones.free_lists: blocks by order" in said
    assert "frame table: 8192 frames from 0" in said
    assert "free-lists." not in said
    assert "frame-table." not in said


def test_a_description_that_is_there_stays(
    harness: Run, tmp_path: Path, kernel: KernelImage
) -> None:
    (tmp_path / "harness.toml").write_text("mine")
    refused = harness("init", kernel.path)
    assert refused.returncode == 2
    assert "harness.toml is there already" in refused.stderr
    assert (tmp_path / "harness.toml").read_text() == "mine"
    shown = harness("init", kernel.path, "--output", "-")
    assert shown.stdout.startswith("# What the harness knows of this kernel.")


@pytest.mark.parametrize(
    ("contents", "words"), [(b"", "not an ELF file"), (b"\x7fELF", "truncated")]
)
def test_what_is_no_kernel(harness: Run, tmp_path: Path, contents: bytes, words: str) -> None:
    (tmp_path / "file").write_bytes(contents)
    answer = harness("init", "file")
    assert answer.returncode == 2
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "harness.toml").exists()


def test_an_image_that_is_not_there(harness: Run, tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text('[build]\nimage = "kernel.elf"\n')
    answer = harness("inspect", "--kernel", "harness.toml")
    assert answer.returncode == 2
    assert "kernel.elf: No such file" in answer.stderr
