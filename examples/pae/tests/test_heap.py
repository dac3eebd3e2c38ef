"""The heap: blocks split and join, and what they hold is theirs."""

import random
from itertools import pairwise

import pytest

from harness.machine.errors import CommandFailed


@pytest.mark.machine(memory="8M")
def test_blocks_join_again(guest):
    blocks = [guest.monitor.malloc(size=size) for size in (1, 100, 5000, 16)]
    guest.check()
    for block in (blocks[1], blocks[3], blocks[0], blocks[2]):
        guest.monitor.mfree(virtual=block)
        guest.check()


@pytest.mark.machine(memory="8M", cpu=["qemu32", "max"])
def test_a_random_life(guest):
    choose, live = random.Random(7), {}
    for _ in range(60):
        if live and choose.random() < 0.4:
            guest.monitor.mfree(virtual=live.popitem()[0])
        else:
            size = choose.choice([1, 16, 40, 400, 4096, 20_000])
            live[guest.monitor.malloc(size=size)] = size
    guest.check()
    spans = sorted((start, start + size) for start, size in live.items())
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


@pytest.mark.machine(memory="8M")
@pytest.mark.parametrize("size", [0, 0x1000000, 0xFFFFFFFF])
def test_what_cannot_be_is_refused(guest, size):
    before = guest.state()
    with pytest.raises(CommandFailed, match="memory"):
        guest.monitor.malloc(size=size)
    assert not guest.diff(before)


@pytest.mark.machine(memory="4M")
def test_a_heap_that_gets_no_frames_stays_as_it_was(guest):
    """The page tables that were made on the way stay: they are used the next time."""
    while True:
        try:
            guest.monitor.malloc(size=200_000)
        except CommandFailed:
            break
    guest.check()
    guest.monitor.malloc(size=16)
    guest.check()
