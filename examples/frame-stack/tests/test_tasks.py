"""Frames go to tasks and come back; `guest` is a machine on which the kernel is ready."""

import pytest

MEMORY = ["4M", "16M"]


@pytest.mark.machine(memory=MEMORY, append="create=20")
def test_each_task_has_a_frame_of_its_own(guest):
    state = guest.check().state
    [tasks] = state.metadata
    assert len(set(tasks.storage)) == 20
    assert "ready" in guest.screen.text


@pytest.mark.machine(memory=MEMORY, append="create=20 end=20")
def test_tasks_that_end_give_their_frames_back(guest):
    state = guest.check().state
    [tasks] = state.metadata
    assert tasks.storage == ()
    [free] = state.free_lists
    assert free.free_frames == free.managed_frames
