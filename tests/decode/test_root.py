"""Page tables whose root is described by a symbol, where CR3 points to others."""

from __future__ import annotations

import pytest

from harness.check.faults import every_fault
from harness.decode.belief.paging import ControlRegisters
from harness.decode.context import DescriptionMismatch
from harness.decode.decode import decode
from harness.decode.state import MemoryState
from tests.decode.conftest import Loader

SOURCE = """
unsigned current[1024] __attribute__((aligned(4096)));
unsigned kernels[1024] __attribute__((aligned(4096)));
unsigned *pointer = kernels;
unsigned physical = (unsigned)kernels;
unsigned *dangling = (unsigned *)0xd0000000;
"""
PRESENT, WRITABLE, LARGE = 1, 2, 0x80
PG, PE, PSE = 1 << 31, 1, 1 << 4


def state(loader: Loader, root: str) -> tuple[MemoryState, dict[str, int]]:
    """Decode where CR3 maps the first 4 MiB to themselves, and ``kernels`` those and 4 more."""
    program = loader(SOURCE, f"[page_tables]\n{root}\n")
    where = {name: program.address(name) for name in ("current", "kernels")}
    flags = PRESENT | WRITABLE | LARGE
    program.ram.set_word(where["current"], flags)
    program.ram.set_word(where["kernels"], flags)
    program.ram.set_word(where["kernels"] + 4 * 0x300, flags)
    registers = ControlRegisters(cr0=PG | PE, cr3=where["current"], cr4=PSE)
    return decode(program.ram, registers, program.kernel), where


def mapped(found: MemoryState) -> list[int]:
    return [int(address) for address in found.page_tables.mappings["virtual"]]


def test_without_one_it_is_cr3_s(loader: Loader) -> None:
    found, where = state(loader, "")
    assert found.page_tables.root == where["current"]
    assert mapped(found) == [0]


@pytest.mark.parametrize("root", ["kernels", "pointer", "physical", "&kernels[0]"])
def test_an_array_a_pointer_or_a_physical_address(loader: Loader, root: str) -> None:
    found, where = state(loader, f'root = "{root}"')
    assert found.page_tables.root == where["kernels"]
    assert mapped(found) == [0, 0xC0000000]
    assert found.registers.cr3 == where["current"]


def test_a_pointer_into_nowhere_leaves_cr3_s(loader: Loader) -> None:
    found, where = state(loader, 'root = "dangling"')
    assert found.page_tables.root == where["current"]
    [fault] = every_fault(found)
    assert (fault.structure, fault.chain) == ("page tables", (0xD0000000,))


def test_a_misspelt_symbol(loader: Loader) -> None:
    with pytest.raises(
        DescriptionMismatch, match=r"harness\.toml:3: page_tables\.root: .* kernels"
    ):
        state(loader, 'root = "kernel_s"')
