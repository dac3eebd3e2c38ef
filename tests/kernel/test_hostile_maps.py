"""Random maps that no firmware would dare to give: sound, or rightly refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness.check.inspect import inspect_guest, model_of
from harness.check.refusal import reason_to_refuse
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.machine.shape import BootInformationShape
from harness.machine.spec import MachineSpec, Module
from harness.maps.memory_map import MemoryMap
from harness.maps.region import ADDRESS_SPACE, FOUR_GIB, Region
from tests.kernel.layouts import LAYOUTS
from tests.kernel.session import MIB, PAGE, Session
from tests.kernel.test_firmware_map import frames_of, told_regions, usable_frames

pytestmark = pytest.mark.slow

BOUNDED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""A failing machine is shown as it was drawn: to shrink one takes minutes of boots."""

SIZES = [16 * MIB, 17 * MIB, 32 * MIB, 64 * MIB]
BORDERS = [
    *(0, PAGE, 0x9F000, 0xA0000, 0xF0000, MIB, MIB + 0x20000),
    *(4 * MIB, 8 * MIB, 15 * MIB, 16 * MIB, 17 * MIB, 20 * MIB, 32 * MIB, 64 * MIB, 80 * MIB),
    *(FOUR_GIB - 16 * MIB, FOUR_GIB, FOUR_GIB + MIB, ADDRESS_SPACE),
]
NEAR = [0, 0, 0, 1, -1, 4, PAGE // 2, -PAGE // 2, PAGE - 1, PAGE, PAGE + 1, -PAGE, 3 * PAGE]
TYPES = [1, 1, 1, 1, 2, 2, 3, 4, 5, 0, 7, 12, 0x101, 0x80000001, 0xFFFFFFFF]

Kernels = Mapping[str, KernelImage]
"""By layout: each example draws one."""


@pytest.fixture(scope="session")
def kernels(kernel: KernelImage, identity_kernel: KernelImage) -> Kernels:
    return {"higher-half": kernel, "identity": identity_kernel}


points = st.builds(
    lambda border, near, pages: max(border + near + pages * PAGE, 0),
    st.sampled_from(BORDERS),
    st.sampled_from(NEAR),
    st.just(0) | st.integers(0, 1000),
)


@st.composite
def regions(draw: st.DrawFn) -> Region:
    """Draw an entry between two interesting addresses, in either order: it may wrap."""
    base, end = draw(points) % ADDRESS_SPACE, draw(points) % ADDRESS_SPACE
    wrapping, plain = (end - base) % ADDRESS_SPACE, abs(end - base)
    short = draw(st.integers(0, 16 * PAGE))
    length = draw(st.sampled_from([short, short, short, plain, wrapping]))
    return Region(base, length, draw(st.sampled_from(TYPES)))


@st.composite
def hostile_maps(draw: st.DrawFn, memory: int) -> MemoryMap:
    """Draw entries; mostly there is also a plain PC's map somewhere among them."""
    entries = draw(st.lists(regions(), min_size=1, max_size=24))
    if draw(st.sampled_from([True, True, True, True, False])):
        at = draw(st.integers(0, len(entries)))
        entries[at:at] = MemoryMap.pc(memory).entries
    return MemoryMap(tuple(entries))


@st.composite
def specs(draw: st.DrawFn) -> tuple[str, int, MemoryMap, BootInformationShape]:
    layout = draw(st.sampled_from(list(LAYOUTS)))
    memory = draw(st.sampled_from(SIZES))
    sizes = draw(st.lists(st.sampled_from([20, 24, 21, 40]), min_size=1, max_size=3))
    shape = BootInformationShape(entry_sizes=tuple(sizes))
    return layout, memory, draw(hostile_maps(memory)), shape


@settings(BOUNDED, max_examples=150)
@given(drawn=specs())
def test_any_map_is_managed_soundly_or_rightly_refused(
    kernels: Kernels, pool: Pool, drawn: tuple[str, int, MemoryMap, BootInformationShape]
) -> None:
    layout, memory, memory_map, shape = drawn
    kernel = kernels[layout]
    with pool.boot(MachineSpec(kernel, memory, map=memory_map, shape=shape)) as guest:
        assert guest.memory_map.entries == memory_map.entries
        ending = guest.run_until_ready()
        if ending.kind is EndingKind.REFUSED:
            assert reason_to_refuse(model_of(guest), kernel) is not None, str(ending)
            return
        assert ending.kind is EndingKind.READY, str(ending)
        told = told_regions(Session(guest))
        usable = frames_of(range(start, end) for start, end, name in told if name == "usable")
        assert usable == usable_frames(memory_map, guest.ram.ranges)
        guest.pause()
        assert inspect_guest(guest).violations == ()


PLACES = [
    *(0x1000, 0x8FFC, 0x9EC00, 0x400000 - 36, 0x600FF8, 0x7FFFF4, 0x900000, 0xA00001),
    *(16 * MIB - 20, 16 * MIB + 3 * PAGE - 8, 17 * MIB + 2, 20 * MIB, 32 * MIB - 5000),
]
"""Physical addresses at and across borders; 5,000 bytes at any reach no other."""


@st.composite
def leavings(draw: st.DrawFn) -> tuple[str, list[int], BootInformationShape]:
    """Draw the sizes of modules, and where a boot loader leaves them and all the rest."""
    sizes = draw(st.lists(st.sampled_from([1, 2500, 4096, 4990]), max_size=5))
    places = draw(st.permutations(PLACES))
    shape = BootInformationShape(
        information_address=places[0] & ~3,
        map_address=places[1],
        command_line_address=places[2],
        module_list_address=places[3],
        module_addresses=tuple(places[4 : 4 + len(sizes)]),
        module_strings=draw(st.booleans()),
        loader_name=draw(st.booleans()),
    )
    return draw(st.sampled_from(list(LAYOUTS))), sizes, shape


@settings(BOUNDED, max_examples=60)
@given(drawn=leavings())
def test_wherever_the_loader_leaves_things_they_stay(
    kernels: Kernels, pool: Pool, drawn: tuple[str, list[int], BootInformationShape]
) -> None:
    """They are never handed out, and not a byte of the modules is changed."""
    layout, sizes, shape = drawn
    modules = tuple(Module(bytes([i + 1]) * size, "m" * i) for i, size in enumerate(sizes))
    spec = MachineSpec(kernels[layout], 32 * MIB, modules=modules, shape=shape)
    with pool.boot(spec) as guest:
        ending = guest.run_until_ready()
        assert ending.kind is EndingKind.READY, str(ending)
        session = Session(guest)
        session.ok("kmalloc 1000000")
        session.assert_sound()
        guest.pause()
        for address, module in zip(shape.module_addresses, modules, strict=True):
            assert address is not None
            assert guest.ram.read(address, len(module.data)) == module.data
