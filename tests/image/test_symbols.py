"""Symbols and source lines against binutils."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from harness.image.elf import load_kernel
from harness.image.errors import UnknownName
from harness.image.kernel_image import KernelImage
from harness.image.lines import SourceLines
from tests.image.compiler import COMPILERS, compile_kernel

SOURCE = """
asm(".text; .globl label; label: nop; nop; nop");
static int add(int x) { return x + 1; }
__attribute__((noinline)) int work(int x)
{
    int sum = 0;
    for (int i = 0; i < x; i++)
        sum += add(i) * x;
    return sum;
}
void _start(void)
{
    for (;;)
        work(7);
}
"""


@pytest.fixture(scope="module", params=COMPILERS)
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> KernelImage:
    return load_kernel(compile_kernel(tmp_path_factory.mktemp("symbols"), SOURCE, request.param))


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_symbols_are_those_of_nm(kernel: KernelImage) -> None:
    rows = re.findall(r"^(\w+) [^Ua] (\S+)$", _output("nm", str(kernel.path)), re.MULTILINE)
    assert {name: int(value, 16) for value, name in rows} == dict(kernel.symbols)


def test_of_two_symbols_with_one_name_the_global_one_counts_else_the_first(tmp_path: Path) -> None:
    """The linker lists those of the first file first, and global ones last."""
    twins = "static int {0} = 1; int {1}(void) {{ return {0}++; }}"
    source = twins.format("local", "one") + "int both = 2; void _start(void) { one(), two(); }"
    others = (twins.format("local", "two"), twins.format("both", "three"))
    kernel = load_kernel(compile_kernel(tmp_path, source, others=others))
    rows = re.findall(r"^(\w+) (.) (local|both)$", _output("nm", "-p", str(kernel.path)), re.M)
    assert [name for _, _, name in rows] == ["local", "local", "both", "both"]
    assert kernel.symbols["local"] == int(rows[0][0], 16)
    assert [kernel.symbols["both"]] == [int(v, 16) for v, kind, name in rows if kind == "D"]


def _functions(path: Path) -> dict[str, range]:
    """Return the addresses of each function."""
    rows = re.findall(r": (\w+) +(\d+) FUNC .* (\w+)$", _output("readelf", "-sW", str(path)), re.M)
    return {n: range(int(start, 16), int(start, 16) + int(size)) for start, size, n in rows}


def test_every_address_of_a_function_is_in_it(kernel: KernelImage) -> None:
    functions = _functions(kernel.path)
    assert {"work", "_start"} <= functions.keys()
    for name, addresses in functions.items():
        found = [kernel.function_at(address) for address in addresses]
        assert found == [(name, offset) for offset in range(len(addresses))]


def test_every_instruction_has_the_line_of_addr2line(kernel: KernelImage) -> None:
    addresses = [a for function in _functions(kernel.path).values() for a in function]
    said = _output("addr2line", "-e", str(kernel.path), *map(hex, addresses)).splitlines()
    expected = [_place(text) for text in said]
    assert [kernel.source_line(address) for address in addresses] == expected


def test_lines_are_decoded_as_far_as_they_are_asked_for(identity_kernel: KernelImage) -> None:
    """The lines of one file are those that the whole table has for it."""
    functions = identity_kernel.symbol_table.functions
    addresses = [a for start, size, _ in functions for a in range(start, start + size, 5)]
    lines = SourceLines(identity_kernel.contents, "")
    found = [lines.find(address) for address in addresses]
    assert "table" not in vars(lines)
    table = identity_kernel.lines.table
    assert found == [table.find(address) for address in addresses]
    assert None not in found


def _place(said: str) -> tuple[str, int] | None:
    """Parse ``/folder/kernel.c:12 (discriminator 3)``; ``?`` stands for no line."""
    file, _, line = said.partition(" ")[0].rpartition(":")
    return None if line == "?" else (Path(file).name, int(line))


def test_a_label_without_a_size_reaches_to_the_next_function(kernel: KernelImage) -> None:
    assert kernel.function_at(kernel.symbol("label") + 2) == ("label", 2)


def test_addresses_outside_have_neither_function_nor_line(kernel: KernelImage) -> None:
    for address in (0, 0x100000, 0xC00FFFFF, 0xFFFFFFFF):
        assert kernel.source_line(address) is None
    assert kernel.function_at(0) is None
    assert kernel.function_at(0xFFFFFFFF) is None


def test_an_unknown_symbol_comes_with_the_nearest(kernel: KernelImage) -> None:
    with pytest.raises(UnknownName, match="no symbol 'wrok'; nearest: work"):
        kernel.symbol("wrok")
