"""Who wrote a word: each write of a boot, in order, and nothing else."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from harness.check.inspect import control_registers
from harness.debug import blame as module
from harness.debug.blame import blame, value_at
from harness.debug.course import Course, record_course
from harness.debug.history import Change, History
from harness.debug.place import NoPlace, physical_of
from harness.decode.page_walk import walk
from harness.image.kernel_image import KernelImage
from harness.machine.errors import SpecError
from harness.machine.guest import Guest
from harness.machine.qemu import Extra
from harness.machine.recording import CountedGuest, Recorder, Recording, replay
from harness.machine.spec import MachineSpec

MEMORY = 16 << 20
FREE = "&zones[0].free_frames"
BUSY = "boot_stack_top - 108"
"""A word of the boot stack that is written some hundred times, through one mapping."""


@pytest.fixture(scope="module")
def recorded(kernel: KernelImage) -> tuple[Recording, dict[str, int], dict[str, int]]:
    """A boot with commands, where some words are, and what they are at the end."""

    def look(guest: Guest) -> tuple[dict[str, int], dict[str, int]]:
        places = {name: physical_of(guest, name) for name in (FREE, BUSY, "kernel_main")}
        return places, {name: value_at(guest.ram, at) for name, at in places.items()}

    course = Course(commands=("alloc 3", "kmalloc 100"))
    recording, (places, values) = record_course(MachineSpec(kernel, MEMORY), course, look)
    return recording, places, values


Recorded = tuple[Recording, dict[str, int], dict[str, int]]


@pytest.fixture(scope="module")
def histories(recorded: Recorded) -> dict[str, History]:
    """Of each word of the record; followed together."""
    recording, places, _ = recorded
    found = blame(recording, list(places.values()))
    assert found.doubts == ()
    assert found.length == recording.length
    return dict(zip(places, found.histories, strict=True))


@pytest.mark.parametrize("name", [FREE, BUSY, "kernel_main"])
def test_values_follow_from_one_another_to_the_last(
    recorded: Recorded, histories: dict[str, History], name: str
) -> None:
    history, (recording, places, values) = histories[name], recorded
    assert history.physical == places[name]
    assert history.final == values[name]
    value = history.first
    for write in history.writes:
        assert write.old == value
        value = write.new
    assert value == history.final
    counts = [write.count for write in history.writes]
    assert counts == sorted(counts)
    assert all(0 < count <= recording.length for count in counts)


def test_the_writer_is_named_with_its_callers(histories: dict[str, History]) -> None:
    culprit = histories[FREE].culprit
    assert culprit is not None
    names = [frame.function for frame in culprit.frames]
    # kmalloc's one page, and nothing after it: the monitor asked for it.
    assert names[0] == "buddy_alloc"
    assert "kmalloc" in names
    assert names[-2:] == ["kernel_main", "paged_entry"]
    assert culprit.frames[0].file == "kernel/mm/frames/buddy.c"
    assert culprit.old - culprit.new == 1
    (eight,) = [one for one in histories[FREE].writes if one.old - one.new == 8]
    assert "command_alloc" in [frame.function for frame in eight.frames]


def test_what_was_never_written_is_from_somebody_else(histories: dict[str, History]) -> None:
    assert histories["kernel_main"].writes == ()
    assert histories["kernel_main"].source == "the kernel image"


def test_only_the_last_writes_are_looked_at(
    recorded: Recorded, histories: dict[str, History]
) -> None:
    recording, places, _ = recorded
    whole = histories[BUSY]
    assert len(whole.writes) > 50
    short = blame(recording, [places[BUSY]], most=7).histories[0]
    assert short.writes == whole.writes[-7:]
    assert short.left_out == len(whole.writes) - 7


def test_without_a_plugin_known_mappings_are_followed(
    recorded: Recorded, histories: dict[str, History], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another reader of the same boot: it sees the same writes through the same mapping."""
    monkeypatch.setattr(module, "why_unsupported", lambda: "no C compiler")
    recording, places, _ = recorded
    found = blame(recording, [places[FREE]])
    assert "no C compiler" in found.doubts[0]

    def essence(history: History) -> list[tuple[int, int, int]]:
        return [(write.count, write.old, write.new) for write in history.writes]

    assert essence(found.histories[0]) == essence(histories[FREE])


def test_it_says_where_another_path_was_taken(
    kernel: KernelImage, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, places, _ = recorded
    spec = MachineSpec(kernel, MEMORY)
    other, _ = record_course(spec, Course(commands=("alloc 2", "kmalloc 100")), lambda guest: None)
    other = dataclasses.replace(other, length=recording.length)
    replays = iter([recording, other, other])  # it tries again, in another way

    def astray(given: Recording, extra: Extra) -> AbstractContextManager[CountedGuest]:
        return replay(next(replays), extra)

    monkeypatch.setattr(module, "replay", astray)
    (doubt,) = blame(recording, [places[FREE]]).doubts
    assert re.search(r"took another path: it stored \d+ times to 0x[0-9a-f]+", doubt)


def test_the_cpu_s_own_marks_are_told_apart(kernel: KernelImage) -> None:
    with Recorder(MachineSpec(kernel, MEMORY)) as recorder:
        guest, virtual = recorder.guest, 0x400000
        guest.run_until_ready()
        frame = guest.monitor.alloc(order=0)
        guest.monitor.map(virtual=virtual, physical=frame, flags="rw")
        guest.monitor.require(f"touch 0x{virtual:x} write 1")
        guest.pause()
        entry = walk(guest.ram, control_registers(guest), virtual).steps[-1]
        recording = recorder.finish()
    history = blame(recording, [entry.address]).histories[0]
    assert history.final == entry.entry
    assert history.writes[-1].change is Change.MARKED
    assert history.writes[-1].new ^ history.writes[-1].old == 0x60  # accessed and dirty
    assert history.culprit is not None
    assert any(frame.function == "vmm_map" for frame in history.culprit.frames)


def test_a_kernel_that_panics_is_followed_to_its_end(kernel: KernelImage) -> None:
    spec = MachineSpec(kernel, MEMORY)
    course = Course(commands=("crash panic",))
    recording, word = record_course(spec, course, lambda guest: physical_of(guest, FREE))
    history = blame(recording, [word]).histories[0]
    assert history.culprit is not None
    assert history.culprit.frames[0].function == "buddy_alloc"


def test_until_a_function_is_entered(kernel: KernelImage) -> None:
    course = Course(until="early_hand_over")
    spec = MachineSpec(kernel, MEMORY)
    recording, word = record_course(spec, course, lambda guest: physical_of(guest, FREE))
    history = blame(recording, [word]).histories[0]
    assert [write.frames[0].function for write in history.writes] == ["buddy_init"]


def test_what_is_no_ram_is_refused(recorded: Recorded) -> None:
    with pytest.raises(SpecError, match="physical 0xf0000000 is no RAM of this machine"):
        blame(recorded[0], [0xF0000000])


@pytest.fixture(scope="module")
def ready(kernel: KernelImage) -> Iterator[Guest]:
    """A guest at its prompt."""
    with Recorder(MachineSpec(kernel, MEMORY)) as recorder:
        recorder.guest.run_until_ready()
        recorder.guest.pause()
        yield recorder.guest


@pytest.mark.parametrize(
    ("text", "physical", "place"),
    [
        ("0xc0098000", False, 0x98000),
        ("0x98000", False, 0x98000),  # not mapped: taken as physical
        ("0xc0098000", True, 0xC0098000),
        ("kernel_start + 8", False, 0x100008),
        ("boot_stack_top", False, None),  # a guard page, which is mapped nowhere
    ],
)
def test_addresses(ready: Guest, text: str, physical: bool, place: int | None) -> None:
    if place is None:
        place = ready.kernel.physical(ready.kernel.symbol(text))
    assert physical_of(ready, text, physical) == place


@pytest.mark.parametrize("text", ["nobody", "1 +", "*(int *)5"])
def test_an_address_that_is_none_is_a_sentence(ready: Guest, text: str) -> None:
    with pytest.raises(NoPlace, match="is no address here"):
        physical_of(ready, text)


def test_an_early_word_beside_one_that_is_written_too_often(
    recorded: Recorded, histories: dict[str, History]
) -> None:
    """Stores that are left out of one word's last ones come in between: they are nobody's."""
    recording, places, _ = recorded
    found = blame(recording, [places[FREE], places[BUSY]], most=5).histories
    for history, name in zip(found, (FREE, BUSY), strict=True):
        assert history.writes == histories[name].writes[-5:]


def test_where_an_interrupt_pushes_its_frame(kernel: KernelImage) -> None:
    """Watchpoints would disturb it; the CPU's own pushes are told apart from stores."""
    with Recorder(MachineSpec(kernel, MEMORY)) as recorder:
        guest = recorder.guest
        guest.run_until_ready()
        for _ in range(2):
            guest.monitor.require("alloc 0")
        guest.resume()
        while not guest.registers().halted:
            guest.pause()
            guest.resume()
        guest.pause()
        stack = guest.translate(guest.registers().esp)
        recording = recorder.finish()
    assert stack is not None
    history = blame(recording, [stack - 4]).histories[0]
    assert any(write.change is Change.UNSEEN for write in history.writes)
    assert history.left_out == 0
