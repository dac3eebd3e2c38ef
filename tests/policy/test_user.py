"""Lives of user regions in several address spaces, touch by touch, against the policy."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from harness.check.inspect import inspect_guest
from harness.decode.belief.spaces import Space
from harness.decode.state import MemoryState
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.policy.user import PageKind, UserPolicy
from harness.workload.operation import FAULT, Kind, operation, operations
from harness.workload.tape import Tape, tape_module
from tests.kernel.layouts import HIGHER_HALF, IDENTITY, layout_of
from tests.kernel.session import MIB, PAGE

SLOTS = 4096
CHOICES = st.integers(0, 1 << 16)
SIZES = st.sampled_from([1, 2, 3, 7, 1023, 1024, 1025, 3000])
OFFSETS = st.sampled_from([0, 4, 0x7FC, PAGE - 4])
MACHINES = [
    (HIGHER_HALF, "qemu32"),
    (IDENTITY, "486"),
    (HIGHER_HALF, "486"),
    (IDENTITY, "qemu32,-pse,-pge"),
]
"""Layouts and CPUs."""


class Life(RuleBasedStateMachine):
    """Operations wait on a tape until :meth:`compare` runs them; the policy says what comes out."""

    def __init__(self, kernel: KernelImage, pool: Pool, cpu: str) -> None:
        super().__init__()
        self.start = layout_of(kernel).user.start
        self.stack = contextlib.ExitStack()
        module = tape_module(kernel, operations=1024, slots=SLOTS)
        spec = MachineSpec(kernel, 32 * MIB, cpu=cpu, modules=(module,))
        self.guest = self.stack.enter_context(pool.boot(spec))
        self.guest.run_until_ready()
        self.tape = Tape(self.guest)
        self.held = self.guest.monitor.require("alloc 0").number("physical")
        self.policy = UserPolicy.of(self.state())
        self.waiting: list[tuple[tuple[int, ...], int]] = []
        """Operations, and what each must return."""
        self.slots: dict[tuple[int, int], int] = {}
        """(space, start of a region) → slot; of a space itself with start 0."""
        self.used = 0

    def state(self) -> MemoryState:
        """Decode the guest; nothing may be wrong with it."""
        self.guest.pause()
        inspection = inspect_guest(self.guest)
        self.guest.resume()
        assert inspection.violations == ()
        return inspection.state

    def give(self, kind: Kind, key: tuple[int, int], result: int, size: int = 0) -> None:
        """Let an operation fill a new slot when it succeeds."""
        self.slots[key], self.used = self.used, self.used + 1
        self.waiting.append((operation(kind, self.slots[key], size), result))

    def take(self, kind: Kind, key: tuple[int, int]) -> None:
        """Let an operation empty a slot."""
        self.waiting.append((operation(kind, self.slots.pop(key)), 0))

    @precondition(lambda self: len(self.policy.numbers) < 5)
    @rule()
    def create(self) -> None:
        """Make an address space."""
        number = self.policy.create()
        self.give(Kind.SPACE_CREATE, (number, 0), number)

    @rule(choice=CHOICES)
    def switch(self, choice: int) -> None:
        """Go to any address space."""
        numbers = sorted(self.policy.numbers)
        self.go_to(numbers[choice % len(numbers)])

    def go_to(self, number: int) -> None:
        """Make an address space the current one."""
        self.policy.switch(number)
        slot = self.slots[number, 0] if number else SLOTS - 1
        self.waiting.append((operation(Kind.SPACE_SWITCH, slot), number))

    @rule(choice=CHOICES)
    def destroy(self, choice: int) -> None:
        """Destroy an address space that is neither the current one nor the kernel's."""
        others = sorted(self.policy.numbers - {0, self.policy.current})
        if others:
            number = others[choice % len(others)]
            self.policy.destroy(number)
            self.take(Kind.SPACE_DESTROY, (number, 0))
            self.slots = {key: slot for key, slot in self.slots.items() if key[0] != number}

    @rule(pages=SIZES)
    def alloc(self, pages: int) -> None:
        """Make a region where the policy says."""
        start = self.policy.alloc(pages)
        self.give(Kind.USER_ALLOC, (self.policy.current, start), start, pages)

    @rule(choice=CHOICES)
    def free(self, choice: int) -> None:
        """Free a region of the current space."""
        regions = sorted(self.policy.regions())
        if regions:
            start = regions[choice % len(regions)]
            self.policy.free(start)
            self.take(Kind.USER_FREE, (self.policy.current, start))

    @rule(choice=CHOICES, page=CHOICES, offset=OFFSETS)
    def read(self, choice: int, page: int, offset: int) -> None:
        """Read a word of a region, or behind it."""
        address = self.address(choice, page, offset)
        if address // PAGE * PAGE in self.policy.by_hand():
            return
        found = self.policy.read(address)
        expected = FAULT if found is None else found
        self.waiting.append((operation(Kind.TOUCH_READ, 0, address), expected))

    @rule(choice=CHOICES, page=CHOICES, offset=OFFSETS, value=st.integers(1, 0xFFFF))
    def write(self, choice: int, page: int, offset: int, value: int) -> None:
        """Write a word of a region, or behind it."""
        address = self.address(choice, page, offset)
        if address // PAGE * PAGE in self.policy.by_hand():
            return
        expected = value if self.policy.write(address, value) else FAULT
        self.waiting.append((operation(Kind.TOUCH_WRITE, 0, address, cache=value), expected))

    def address(self, choice: int, page: int, offset: int) -> int:
        """Return the address of a word in any region, or in the page behind it."""
        regions = sorted(self.policy.regions().items()) or [(self.start, 0)]
        start, pages = regions[choice % len(regions)]
        return start + page % (pages + 1) * PAGE + offset

    @rule(choice=CHOICES, pages=SIZES)
    def alloc_at(self, choice: int, pages: int) -> None:
        """Ask for a region at, in front of, or behind another one; free it, as it has no slot."""
        start = self.address(choice, choice, 0) + (choice % 3 - 1) * PAGE
        expected = self.policy.alloc_at(start, pages)
        assert self.command(f"user alloc {pages} {start:#x}") == expected
        if expected:
            self.policy.free(start)
            assert self.command(f"user free {start:#x}")

    @rule(choice=CHOICES)
    def map_by_hand(self, choice: int) -> None:
        """Map the held frame near regions, where later ones must leave it alone."""
        page = self.address(choice, choice, 0)
        expected = self.policy.map_by_hand(page)
        assert self.command(f"map {page:#x} {self.held:#x}") == expected

    @rule(choice=CHOICES)
    def unmap_by_hand(self, choice: int) -> None:
        """Undo that."""
        pages = sorted(self.policy.by_hand())
        if pages:
            page = pages[choice % len(pages)]
            self.policy.unmap_by_hand(page)
            assert self.command(f"unmap {page:#x}")

    def command(self, words: str) -> bool:
        """Run the tape and then a command; return whether it was answered with ok."""
        self.run_tape()
        return self.guest.monitor.command(words).ok

    def run_tape(self) -> None:
        """Run what waits; each result must be as the policy has it."""
        done, self.waiting = self.waiting, []
        results = self.tape.run(operations(one for one, _ in done))
        assert results["value"].tolist() == [expected for _, expected in done]

    @rule()
    def compare(self) -> None:
        """Run the tape; regions, pages and contents must then be as the policy has them."""
        self.run_tape()
        state = self.state()
        found = UserPolicy.of(state)
        assert found.numbers == self.policy.numbers
        assert found.current == self.policy.current
        for number in found.numbers:
            assert found.regions(number) == self.policy.regions(number)
            assert found.pages(number) == self.policy.pages(number)
        assert found.by_hand() == self.policy.by_hand()
        for number in found.numbers:
            self.compare_contents(state, number)

    def compare_contents(self, state: MemoryState, number: int) -> None:
        """Each page with a frame of its own holds what was written into it, and zeros."""
        assert state.address_spaces is not None
        [space] = [one for one in state.address_spaces.spaces if one.number == number]
        for mapping in space.user.mappings:
            page, physical = int(mapping["virtual"]), int(mapping["physical"])
            if physical == self.held:
                continue
            expected = np.zeros(PAGE // 4, dtype="<u4")
            for address, value in self.policy.words(page, number).items():
                expected[(address - page) // 4] = value
            assert np.array_equal(self.guest.ram.array(physical, "<u4", PAGE // 4), expected)

    def teardown(self) -> None:
        """Compare once more; then, when all has gone, nobody has a page of user space."""
        try:
            self.compare()
            self.leave()
            for space in self.spaces():
                assert len(space.user.mappings) == 0
                assert len(space.user.tables) == 1
        finally:
            self.stack.close()

    def leave(self) -> None:
        """Go to the kernel's address space, destroy all others, and empty it."""
        self.go_to(0)
        for _ in self.policy.numbers - {0}:
            self.destroy(0)
        for _ in self.policy.regions():
            self.free(0)
        for _ in self.policy.by_hand():
            self.unmap_by_hand(0)
        self.compare()

    def spaces(self) -> tuple[Space, ...]:
        """Decode the address spaces."""
        spaces = self.state().address_spaces
        assert spaces is not None
        return spaces.spaces


@pytest.mark.slow
@pytest.mark.parametrize(("mm_build", "cpu"), MACHINES, indirect=["mm_build"])
def test_any_life_follows_the_policy(kernel: KernelImage, pool: Pool, cpu: str) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: Life(kernel, pool, cpu),
        settings=settings(
            max_examples=6,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def policy(**fields: Any) -> UserPolicy:
    return UserPolicy(PAGE, 0x10000, **fields)


def test_a_region_takes_the_lowest_gap_that_holds_it() -> None:
    model = policy()
    first, second, third = (model.alloc(pages) for pages in (2, 1, 3))
    assert (first, second, third) == (PAGE, 3 * PAGE, 4 * PAGE)
    model.free(first)
    assert model.alloc(3) == 7 * PAGE
    assert model.alloc(2) == first
    assert model.alloc(7) == 0
    assert model.alloc(6) == 10 * PAGE
    assert model.alloc(1) == 0


def test_a_page_appears_when_it_is_touched() -> None:
    model = policy()
    start = model.alloc(2)
    assert model.kind(start) is PageKind.ABSENT
    assert model.read(start) == 0
    assert model.kind(start) is PageKind.ZERO
    assert model.write(start + 8, 5)
    assert model.kind(start + PAGE - 1) is PageKind.OWN
    assert (model.read(start + 8), model.read(start)) == (5, 0)
    assert model.kind(start + PAGE) is PageKind.ABSENT
    assert model.read(start + 2 * PAGE) is None
    assert not model.write(start - 4, 1)


def test_spaces_have_pages_of_their_own() -> None:
    model = policy()
    start = model.alloc(1)
    model.write(start, 1)
    model.switch(model.create())
    assert model.read(start) is None
    assert model.alloc(1) == start
    assert model.read(start) == 0
    model.switch(0)
    assert model.read(start) == 1


def test_what_is_freed_is_forgotten() -> None:
    model = policy()
    start = model.alloc(1)
    model.write(start, 1)
    model.free(start)
    assert model.read(start) is None
    assert model.alloc(1) == start
    assert model.read(start) == 0
