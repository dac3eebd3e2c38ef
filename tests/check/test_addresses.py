"""Addresses in descriptions."""

from __future__ import annotations

import pytest

from harness.check.addresses import AddressError, address_in, evaluate, pages_of, whole_pages
from harness.image.kernel_image import KernelImage

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


def test_a_long_one_is_not_repeated_whole() -> None:
    with pytest.raises(AddressError) as error:
        evaluate("-" * 2000, SYMBOLS.__getitem__)
    assert len(str(error.value)) < 200


def test_pages_are_rounded_outward_and_may_end_at_4_gib() -> None:
    assert pages_of(0x1FFF, 0x3001) == range(1, 4)
    assert pages_of(0xFFFFF000, 0) == range(0xFFFFF, 0x100000)


def test_a_name_is_an_enumerator_or_a_symbol(kernel: KernelImage) -> None:
    assert address_in(kernel, "USER_END - 1") == 0xBFFFFFFF
    assert address_in(kernel, "kernel_main") == kernel.symbol("kernel_main")
    assert address_in(kernel, 0x1000) == 0x1000


def test_an_unknown_name_is_reported_with_the_description(kernel: KernelImage) -> None:
    with pytest.raises(AddressError, match=r"harness\.toml:\d+: .* enumerator 'NO'"):
        address_in(kernel, "NO + 1")


def test_a_range_of_whole_pages_may_end_at_4_gib(kernel: KernelImage) -> None:
    assert whole_pages(kernel, "w", "WINDOW_BASE", "WINDOW_BASE + 0x400000").stop == 0x100000
    assert whole_pages(kernel, "w", 0xFFFFF000, 0x100000000) == range(0xFFFFF, 0x100000)


@pytest.mark.parametrize(
    ("virtual", "end", "message"),
    [
        (0, 4097, "w: 0x0-0x1001: virtual and end must be multiples of 4096"),
        (1, 4096, "w: 0x1-0x1000: virtual and end must be multiples of 4096"),
        (8192, 8192, "w: 0x2000-0x2000: end must be above virtual"),
        (0, 0x100001000, "w: 0x0-0x100001000: end must be above virtual, and not above 4 GiB"),
    ],
)
def test_what_is_no_range_of_pages_is_refused(
    kernel: KernelImage, virtual: int, end: int, message: str
) -> None:
    with pytest.raises(AddressError) as error:
        whole_pages(kernel, "w", virtual, end)
    assert message in str(error.value)
