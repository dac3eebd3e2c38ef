"""A description that does not fit its kernel is told from a guest that went wrong."""

from __future__ import annotations

import pytest

from harness.decode.context import DescriptionMismatch
from harness.decode.decode import decode
from harness.decode.state import MemoryState
from harness.image.errors import DescriptionError
from tests.decode.conftest import Loader
from tests.decode.memory import UNPAGED

SOURCE = """
struct frame { unsigned char flags, order; } frames[8] = {[3] = {1, 40}};
unsigned count = 8, divisor = 0;
"""
TOML = """
[frame_table]
array = "{array}"
count = "{count}"
free = "{free}"
"""
GOOD = {"array": "frames", "count": "count", "free": "flags & 1"}


def state(loader: Loader, **changed: str) -> MemoryState:
    program = loader(SOURCE, TOML.format(**{**GOOD, **changed}))
    return decode(program.ram, UNPAGED, program.kernel)


def test_it_fits(loader: Loader) -> None:
    table = state(loader).frame_table
    assert table is not None
    assert table.free.tolist() == [index == 3 for index in range(8)]


@pytest.mark.parametrize(
    ("key", "expression", "words"),
    [
        ("array", "frame", "no 'frame'; nearest: frames"),
        ("count", "cont", "no 'cont'; nearest: count"),
        ("free", "flag & 1", "no 'flag'; nearest: flags"),
        ("free", "flags &", "ends too early"),
    ],
)
def test_a_misspelt_name(loader: Loader, key: str, expression: str, words: str) -> None:
    with pytest.raises(DescriptionMismatch) as caught:
        state(loader, **{key: expression})
    assert isinstance(caught.value, DescriptionError)
    line = {"array": 4, "count": 5, "free": 6}[key]
    assert f"harness.toml:{line}: frame_table.{key}: in the expression" in str(caught.value)
    assert words in str(caught.value)


def test_a_name_is_found_where_it_stands_by_itself(loader: Loader) -> None:
    """Not where it is only a part of another one."""
    toml = (
        '[[header_chains]]\nname = "the sizes"\nfirst = "frames"\nheader = "struct siz"\n'
        'size = "1"\nend = "frames"\n'
    )
    program = loader(SOURCE, toml)
    with pytest.raises(DescriptionMismatch, match=r"toml:5: header_chains\[0\]\.header: no type"):
        decode(program.ram, UNPAGED, program.kernel)
    program = loader(SOURCE, toml.replace("struct siz", "struct frame") + 'next = "size"\n')
    with pytest.raises(DescriptionMismatch, match=r"toml:8: header_chains\[0\]\.next: no member"):
        decode(program.ram, UNPAGED, program.kernel)


@pytest.mark.parametrize("expression", ["1 << order", "flags / divisor"])
def test_numbers_that_the_guest_got_wrong(loader: Loader, expression: str) -> None:
    found = state(loader, free=expression)
    assert found.frame_table is None
    [fault] = found.faults
    assert fault.structure == "frame table"
    assert expression in fault.message
