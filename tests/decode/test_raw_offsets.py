"""A kernel without debug information, described by symbols and offsets; one without symbols."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harness.decode.context import DescriptionMismatch
from harness.decode.decode import decode
from harness.decode.state import MemoryState
from harness.image.description import load_description
from harness.image.elf import load_kernel
from tests.decode.memory import UNPAGED, load
from tests.image.compiler import compile_kernel

SOURCE = """
struct { unsigned unrelated, magic; unsigned *bits; unsigned free; } pool =
    {1, 2, (unsigned[]){0x0000000f, 0x80000000}, 59};
void _start(void) { for (;;); }
"""
BITMAP = """
[[bitmaps]]
name = "frames"
words = "*(uint32_t **)(pool + 8)"
bits = "64"
first_frame = "0x100"
free_count = "*(uint32_t *)(pool + 12)"
"""


def state(folder: Path, toml: str, strip: str) -> MemoryState:
    path = compile_kernel(folder, SOURCE, virtual=1 << 20)
    subprocess.run(["strip", strip, path], check=True, timeout=60)
    (folder / "harness.toml").write_text(toml)
    program = load(
        replace(load_kernel(path), description=load_description(folder / "harness.toml"))
    )
    return decode(program.ram, UNPAGED, program.kernel)


def test_symbols_suffice_for_raw_offsets(tmp_path: Path) -> None:
    [bitmap] = state(tmp_path, BITMAP, "--strip-debug").bitmaps
    assert bitmap.first_frame == 0x100
    assert [int(i) for i in bitmap.taken.nonzero()[0]] == [0, 1, 2, 3, 63]
    assert bitmap.free_count == 59


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("poll + 8", "no 'poll'; nearest: pool"),
        (
            "(struct pool *)pool",
            "no debug information (build with -g), nor [[types]] in the description, so no type "
            "'struct pool'",
        ),
        ("(uint31_t *)pool", "no type 'uint31_t'; nearest: uint32_t"),
        ("pool", "is no array"),
    ],
)
def test_what_takes_debug_information_says_so(tmp_path: Path, expression: str, words: str) -> None:
    toml = BITMAP.replace("*(uint32_t **)(pool + 8)", expression)
    if words == "is no array":
        [fault] = state(tmp_path, toml, "--strip-debug").faults
        assert words in fault.message
        return
    with pytest.raises(DescriptionMismatch) as caught:
        state(tmp_path, toml, "--strip-debug")
    assert words in str(caught.value)
    assert "harness.toml:4: bitmaps[0].words: " in str(caught.value)


def test_without_symbols_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(DescriptionMismatch, match=r"no symbol table .linked with -s, or stripped"):
        state(tmp_path, BITMAP, "--strip-all")
