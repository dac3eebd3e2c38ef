"""The kernel's own table of the firmware's map, in a kernel made for it."""

from __future__ import annotations

import pytest

from harness.decode.belief.frames import MapRegion
from harness.decode.context import Undecodable
from harness.decode.firmware_map import decode_firmware_map
from tests.decode.conftest import Loader
from tests.decode.memory import Loaded

SOURCE = """
struct row { unsigned short kind; unsigned long long base, length; } __attribute__((packed));
struct row rows[4] = {{7, 0x1000, 0x3000}, {9, 0x9000, 0x1000}, {7, 0x100000000, 0x1000}};
unsigned used = 3;
"""
TOML = """
[firmware_map]
array = "rows"
count = "used"
start = "base >> 12"
end = "(base + length) >> 12"
usable = "kind == 7"
"""


@pytest.fixture(scope="module")
def loaded(loader: Loader) -> Loaded:
    return loader(SOURCE, TOML)


def test_regions_come_in_the_table_s_order(loaded: Loaded) -> None:
    found = decode_firmware_map(loaded.context, loaded.kernel.description.firmware_map)
    assert found == (
        MapRegion(1, 4, True),
        MapRegion(9, 10, False),
        MapRegion(0x100000, 0x100001, True),
    )


def test_more_regions_than_the_table_can_hold(loaded: Loaded) -> None:
    loaded.ram.set_word(loaded.address("used"), 5)
    try:
        with pytest.raises(Undecodable, match="elements is 5, which is not between 0 and 4"):
            decode_firmware_map(loaded.context, loaded.kernel.description.firmware_map)
    finally:
        loaded.ram.set_word(loaded.address("used"), 3)


def test_a_kernel_without_such_a_table(loader: Loader) -> None:
    loaded = loader("int x;", "")
    assert decode_firmware_map(loaded.context, loaded.kernel.description.firmware_map) is None
