"""Going back in a guest's life with ``harness gdb --record``, and ``mm blame``."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.debug.person import Person, person

FREE = "&zones[0].free_frames"


@pytest.fixture(scope="module")
def recorded() -> Iterator[Person]:
    """gdb on a recorded guest, at its monitor."""
    with person("--memory", "16M", "--record", "--break", "monitor_run") as one:
        one.begin()
        yield one


@pytest.fixture(scope="module")
def plain() -> Iterator[Person]:
    """gdb on a guest that is not recorded, in the middle of its boot."""
    with person("--memory", "16M", "--break", "paging_init") as one:
        one.begin()
        yield one


def _register(one: Person, name: str) -> int:
    return int(one.ask(f"output/x ${name}"), 16)


def _value(one: Person) -> int:
    return int(one.ask("output zones[0].free_frames"))


@pytest.mark.slow
def test_back_to_each_write_in_turn(recorded: Person) -> None:
    """Each time the storing instruction comes next: executing it gives the value of before."""
    later = _value(recorded)
    for _ in range(3):
        assert "the next one stores" in recorded.ask(f"mm back write {FREE}")
        before = _value(recorded)
        assert before != later
        recorded.ask("stepi")
        assert _value(recorded) == later
        recorded.ask("mm back")
        assert _value(recorded) == before
        later = before
    assert "buddy" in recorded.ask("bt 1")


def test_back_by_steps_is_the_way_that_was_taken(recorded: Person) -> None:
    way = []
    for _ in range(3):
        way.append(_register(recorded, "eip"))
        recorded.ask("stepi")
    for place in reversed(way):
        recorded.ask("mm back")
        assert _register(recorded, "eip") == place
    recorded.ask("stepi 3")
    recorded.ask("mm back step 3")
    assert _register(recorded, "eip") == way[0]


def test_to_a_count_and_to_the_end_of_the_record(recorded: Person) -> None:
    recorded.ask("mm back to 1")
    assert "entry ()" in recorded.ask("bt 1")
    assert "the record has the instructions from 0 to" in recorded.ask("mm back step 2")
    assert "This is the end of what was recorded" in recorded.ask("continue")
    assert "monitor_run" in recorded.ask("bt 1")


def test_blame_of_a_recorded_guest_goes_exactly_to_here(recorded: Person) -> None:
    recorded.ask(f"mm back write {FREE}")
    value = _value(recorded)
    said = recorded.ask(f"mm blame {FREE}")
    assert f"is 0x{value:08x} at the end" in said
    assert "note:" not in said
    assert "buddy" in said
    assert _value(recorded) == value


def test_blame_of_any_guest_follows_a_new_boot(plain: Person) -> None:
    value = _value(plain)
    said = plain.ask(f"mm blame {FREE}")
    assert f"is 0x{value:08x} at the end" in said
    assert "note:" not in said
    assert re.search(r"buddy_\w+ \(kernel/mm/frames/buddy\.c:\d+\)", said)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mm back", "this guest is not recorded: start with 'harness gdb --record'"),
        ("mm back sideways", "usage: mm back"),
        ("mm back to", "usage: mm back"),
        ("mm back write", "usage: mm back write ADDRESS"),
        ("mm blame", "usage: mm blame ADDRESS"),
        ("mm blame nobody", "no 'nobody'"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(plain: Person, line: str, words: str) -> None:
    said = plain.ask(line)
    assert words in said
    assert "Traceback" not in said
