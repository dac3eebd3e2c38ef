"""How large a bitmap may say that it is."""

from __future__ import annotations

import pytest

from harness.check.faults import every_fault
from harness.decode.context import MAX_FRAMES
from harness.decode.decode import decode
from tests.decode.conftest import Loader
from tests.decode.memory import UNPAGED

SOURCE = "unsigned char bits[131072]; unsigned first = 2, count;"
TOML = '[[bitmaps]]\nname = "b"\nwords = "bits"\nbits = "count"\nfirst_frame = "first"\n'


@pytest.mark.parametrize(("bits", "good"), [(MAX_FRAMES - 2, True), (MAX_FRAMES - 1, False)])
def test_no_bit_is_about_a_frame_beyond_4_gib(loader: Loader, bits: int, good: bool) -> None:
    program = loader(SOURCE, TOML)
    program.ram.set_word(program.address("count"), bits)
    faults = list(every_fault(decode(program.ram, UNPAGED, program.kernel)))
    assert [fault.message for fault in faults] == (
        []
        if good
        else [f"the number of bits is {bits}, which is not between 0 and {MAX_FRAMES - 2}"]
    )
