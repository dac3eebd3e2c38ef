"""The frame allocator, one command after another."""

import pytest

from harness.machine.errors import CommandFailed

FIRST_FRAME = 0x100


@pytest.mark.machine(memory="8M", cpu=["qemu32", "max"])
def test_a_frame_is_taken_and_comes_back(guest):
    before = guest.state()
    frame = guest.monitor.alloc()
    taken = guest.check().state.bitmaps[0].taken
    assert taken[frame // 4096 - FIRST_FRAME]
    guest.monitor.free(physical=frame)
    guest.check()
    assert not guest.diff(before)


@pytest.mark.machine(memory="8M")
def test_a_frame_is_freed_once(guest):
    frame = guest.monitor.alloc()
    guest.monitor.free(physical=frame)
    with pytest.raises(CommandFailed, match="nothing was allocated"):
        guest.monitor.free(physical=frame)
    guest.check()


@pytest.mark.machine(memory="8M")
@pytest.mark.parametrize("address", [0, 0x100000, 0x7FFFF000, 0x200001])
def test_what_is_nobodys_cannot_be_freed(guest, address):
    """No RAM, the image, memory behind the last frame, the inside of a frame."""
    before = guest.state()
    with pytest.raises(CommandFailed, match="nothing was allocated"):
        guest.monitor.free(physical=address)
    assert not guest.diff(before)


@pytest.mark.machine(memory="2M", map="640K@0 usable, 512K@1M usable")
def test_all_frames_can_be_had_and_given_back(guest):
    before = guest.state()
    frames = [guest.monitor.alloc() for _ in range(guest.monitor.frames())]
    assert len(frames) == len(set(frames)) > 50
    with pytest.raises(CommandFailed, match="memory"):
        guest.monitor.alloc()
    guest.check()
    for frame in frames:
        guest.monitor.free(physical=frame)
    guest.check()
    assert not guest.diff(before)
