"""Addresses in descriptions."""

from __future__ import annotations

import pytest

from harness.check.addresses import AddressError, evaluate, pages_of

SYMBOLS = {"stack": 0xC0105000, "_end2": 0x2000}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0xC0000000", 0xC0000000),
        ("4096", 4096),
        ("stack", 0xC0105000),
        ("stack + 4096", 0xC0106000),
        (" stack-0x1000 + _end2 ", 0xC0106000),
        ("-1", 0xFFFFFFFF),
    ],
)
def test_sums(text: str, address: int) -> None:
    assert evaluate(text, SYMBOLS.__getitem__) == address


@pytest.mark.parametrize("text", ["", "stack *2", "stack +", "(stack)", "1 2", "heap"])
def test_anything_else_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(AddressError) as error:
        evaluate(text, SYMBOLS.__getitem__)
    assert repr(text) in str(error.value)


def test_pages_are_rounded_outward_and_may_end_at_4_gib() -> None:
    assert pages_of(0x1FFF, 0x3001) == range(1, 4)
    assert pages_of(0xFFFFF000, 0) == range(0xFFFFF, 0x100000)
