"""Whatever is wrong: one clear sentence, the right exit code, and never a traceback."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from harness.image.kernel_image import KernelImage
from tests.cli.conftest import Run

USAGE, ENVIRONMENT = 2, 3


def assert_says(run: Run, code: int, words: str, *arguments: str | Path, **env: str) -> None:
    answer = run(*arguments, **env)
    said = " ".join(answer.stderr.split())
    assert answer.returncode == code, said
    assert words in said
    assert "Traceback" not in said
    assert answer.stdout == ""


@pytest.mark.parametrize("size", ["3", "12Q", "-64M", "", "64M,,1G", "1000000G"])
def test_an_impossible_size(harness: Run, size: str) -> None:
    assert_says(harness, USAGE, "size" if size != "3" else "memory", "run", f"--memory={size}")


def test_too_little_memory_for_the_kernel(harness: Run) -> None:
    assert_says(harness, USAGE, "memory", "run", "--memory", "1M")


def test_an_unknown_map_names_those_near(harness: Run) -> None:
    assert_says(harness, USAGE, "ibm-calgary", "run", "--map", "ibm-calgari-x366")


def test_a_map_file_with_a_syntax_error(harness: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.map").write_text("0-9fc00 usable\n100000-zzz usable\n")
    assert_says(harness, USAGE, "bad.map:2:", "run", "--map", "bad.map")


def test_a_json_map_with_a_syntax_error(harness: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('[{"name": "x",\n "entries": [}]\n')
    assert_says(harness, USAGE, "bad.json:2:", "run", "--map", "bad.json")


def test_exact_without_a_map(harness: Run) -> None:
    assert_says(harness, USAGE, "--exact needs --map", "run", "--exact")


def test_build_variables_for_a_kernel_that_is_not_built(harness: Run, kernel: KernelImage) -> None:
    arguments = ("run", "--kernel", kernel.path, "--build", "CC=gcc", "--memory", "16M")
    assert_says(harness, USAGE, "--build", *arguments)


def test_an_unknown_build_variable(harness: Run) -> None:
    assert_says(harness, USAGE, "NOSUCH", "run", "--build", "NOSUCH=1", "--memory", "16M")


def test_an_unknown_cpu(harness: Run) -> None:
    assert_says(harness, USAGE, "z80", "inspect", "--cpu", "z80", "--memory", "16M")


def test_a_file_that_is_no_kernel(harness: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no kernel\n" * 100)
    assert_says(harness, USAGE, "not an ELF file", "run", "--kernel", "notes.txt")


def test_a_truncated_kernel(harness: Run, tmp_path: Path, kernel: KernelImage) -> None:
    (tmp_path / "short.elf").write_bytes(kernel.path.read_bytes()[:5000])
    assert_says(harness, USAGE, "truncated", "run", "--kernel", "short.elf")


def test_a_64_bit_kernel(harness: Run, tmp_path: Path, kernel: KernelImage) -> None:
    data = bytearray(kernel.path.read_bytes())
    data[4] = 2  # EI_CLASS = ELFCLASS64
    (tmp_path / "wide.elf").write_bytes(data)
    assert_says(harness, USAGE, "64-bit", "run", "--kernel", "wide.elf")


def test_an_elf_without_a_multiboot_header(
    harness: Run, tmp_path: Path, kernel: KernelImage
) -> None:
    data = kernel.path.read_bytes().replace(struct.pack("<I", 0x1BADB002), b"\0\0\0\0")
    (tmp_path / "plain.elf").write_bytes(data)
    assert_says(harness, USAGE, "no Multiboot 1 header", "run", "--kernel", "plain.elf")


def test_a_missing_tool(harness: Run, tmp_path: Path, kernel: KernelImage) -> None:
    arguments = ("run", "--kernel", kernel.path, "--memory", "16M")
    assert_says(harness, ENVIRONMENT, "qemu-system-i386", *arguments, PATH=str(tmp_path))


def test_an_output_folder_that_is_not_there(harness: Run) -> None:
    answer = harness("run", "--memory", "16M", "--json", "no/such/folder/out.json")
    assert answer.returncode in (USAGE, ENVIRONMENT)
    assert "Traceback" not in answer.stderr
