"""Where the parts of an address space lie, by the description and the kernel's image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.check.linear import PRESENT, WRITABLE, linear_maps, user_pages, window_pages
from harness.image.kernel_image import KernelImage
from harness.image.schema.layout import PageTables, UserSpace
from tests.kernel.layouts import both_layouts, layout_of
from tests.kernel.session import MIB, PAGE

pytestmark = both_layouts


def pages(addresses: range) -> range:
    return range(addresses.start // PAGE, addresses.stop // PAGE)


def described(kernel: KernelImage, user: UserSpace | None) -> KernelImage:
    """Return the kernel with another description of user space."""
    tables: PageTables = replace(kernel.description.page_tables, user=user)
    return replace(kernel, description=replace(kernel.description, page_tables=tables))


def test_each_part_is_where_the_layout_has_it(kernel: KernelImage) -> None:
    layout = layout_of(kernel)
    [direct] = linear_maps(kernel)
    assert direct.pages == pages(layout.direct_map)
    assert window_pages(kernel) == (pages(range(layout.window, layout.window + 4 * MIB)),)
    assert user_pages(kernel, (direct,)) == pages(layout.user)


def test_page_0_and_the_stacks_guards_are_left_out(kernel: KernelImage) -> None:
    [direct] = linear_maps(kernel)
    first = direct.pages.start
    guards = [kernel.symbol(f"boot_stack_guard_{which}") // PAGE for which in ("low", "high")]
    left_out = [page for _, part in direct.exceptions for page in part]
    assert left_out == [first, *guards]


def test_a_map_of_all_there_is_has_every_page(kernel: KernelImage) -> None:
    """Usable or not; what the image may not write keeps its rights, and guards stay left out."""
    [direct] = linear_maps(kernel)
    nothing, image = np.zeros(1, dtype=np.bool_), range(0)
    codes = replace(direct, sets=("all",)).expected(nothing, image, global_on=True)
    left_out = [page - direct.pages.start for _, part in direct.exceptions for page in part]
    assert np.flatnonzero(codes & PRESENT == 0).tolist() == left_out
    read_only = [frame for frames in direct.read_only for frame in frames]
    assert not (codes[read_only] & WRITABLE).any()
    assert codes[0x9F] & WRITABLE


def test_user_space_that_is_not_described_lies_below_the_linear_maps(kernel: KernelImage) -> None:
    """Where one of them begins at 0 there is none."""
    undescribed = described(kernel, None)
    below = user_pages(undescribed, linear_maps(undescribed))
    assert below == range(layout_of(kernel).base // PAGE)
    assert user_pages(undescribed, ()) == range(0)


def test_user_space_may_reach_the_end_of_the_address_space(kernel: KernelImage) -> None:
    found = user_pages(described(kernel, UserSpace("USER_START", 1 << 32)), ())
    assert found == range(layout_of(kernel).user.start // PAGE, 1 << 20)
