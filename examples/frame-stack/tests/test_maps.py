"""What a machine's memory looks like is the firmware's business; the kernel takes any of it."""

import pytest

CONTRADICTORY = "0-9fc00 usable, 100000-200000 usable, 150000-160000 reserved"


@pytest.mark.machine(memory="16M", map=["raw24-64M-odd-edc00", "xen-server-4.12-islands"])
def test_only_usable_memory_is_free(guest):
    guest.check()


@pytest.mark.machine(memory="16M", map=CONTRADICTORY)
def test_what_is_usable_and_reserved_is_reserved(guest):
    [free] = guest.check().state.free_lists[0].lists
    assert not set(free.frames.tolist()) & set(range(0x150, 0x160))
