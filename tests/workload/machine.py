"""State machines over tapes: random operations on a guest, each result compared with a policy.

A machine's rules run on the policy alone, which answers in microseconds and says at once what the
kernel must return; when an example ends, its operations are one tape on a fresh guest. A reset
takes some milliseconds, so that an example costs little more than the inspection behind it, and
shrinks as well as its rules do. Every block is filled with its slot's pattern and looked at before
it is freed; at the end of an example the guest is inspected, then every block that is left is
freed, and the guest inspected again.

For an allocator that has nothing of its own to do, the two machines here are enough::

    def test_random_lives(kernel: KernelImage, pool: Pool) -> None:
        bench = Workbench(kernel, pool, append="frames=pair")
        run(lambda: FramesMachine(bench, PairPolicy.of))

A component with kinds of its own derives from :class:`TapeMachine` and gives it rules::

    class SlabMachine(TapeMachine):
        @rule(cache=st.integers(0, 3))
        def alloc(self, cache: int) -> None:
            self.allocate(Kind.SLAB_ALLOC, self.slabs.alloc(cache), cache=cache)

        @rule(which=WHICH)
        def free(self, which: int) -> None:
            self.free_some(which)

        def give_back(self, block: Block) -> None:
            self.slabs.free(block.value)
            self.release(Kind.SLAB_FREE, block)

There are no bundles on purpose: a free names a block by a number among those that live, whatever
they are, and does nothing when none does. So each step can be left out without the others, which
is what makes examples shrink.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,
)

from harness.check.inspect import Inspection, inspect_guest
from harness.decode.state import MemoryState
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.guest import Guest
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.policy.protocols import FramePolicy, HeapPolicy
from harness.workload.operation import Flag, Kind, Results, in_words, operation, operations
from harness.workload.tape import Tape, tape_module

MIB = 1 << 20
CAPACITY = 512
"""Operations of one example, and its slots."""
WHICH = st.integers(0, 15)
"""Which of the live blocks, from the newest."""
SETTINGS = settings(
    max_examples=16,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def run(machine: Callable[[], RuleBasedStateMachine], chosen: settings = SETTINGS) -> None:
    """Run a state machine as a test; ``machine`` makes one for each example."""
    run_state_machine_as_test(machine, settings=chosen)


@dataclass(frozen=True)
class Workbench:
    """A machine for many examples, each of which begins with a boot of its own."""

    kernel: KernelImage
    pool: Pool
    memory: int = 16 * MIB
    append: str = ""
    more: dict[str, Any] = field(default_factory=dict)
    """Further members of the :class:`MachineSpec`."""

    @cached_property
    def spec(self) -> MachineSpec:
        module = tape_module(self.kernel, CAPACITY, CAPACITY)
        more = {"modules": (module,), **self.more}
        return MachineSpec(self.kernel, self.memory, append=self.append, **more)

    def boot(self) -> Guest:
        guest = self.pool.boot(self.spec)
        ending = guest.run_until_ready()
        assert ending.kind is EndingKind.READY, str(ending)
        return guest

    @cached_property
    def state(self) -> MemoryState:
        """What every example begins with."""
        with self.boot() as guest:
            return inspected(guest).state


def inspected(guest: Guest) -> Inspection:
    """Return a guest's state, which must be right."""
    guest.pause()
    inspection = inspect_guest(guest)
    guest.resume()
    assert inspection.violations == ()
    return inspection


@dataclass(frozen=True)
class Block:
    """What an allocation must give; value 0 when it must fail."""

    slot: int
    size: int
    value: int


class TapeMachine(RuleBasedStateMachine):
    """Operations noted by rules, and carried out as one tape at the end."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self.bench = bench
        self.noted: list[tuple[int, int, int, int, int]] = []
        self.expected: list[int] = []
        self.live: dict[int, Block] = {}

    def allocate(
        self, kind: Kind, value: int, size: int = 0, flags: int = 0, cache: int = 0
    ) -> Block:
        """Note an allocation that must return ``value``."""
        block = Block(len(self.noted), size, value)
        flags |= Flag.FILL | (Flag.CHECK if flags & Flag.ZERO else 0)
        self.noted.append(operation(kind, block.slot, size, flags, cache))
        self.expected.append(value)
        if value:
            self.live[block.slot] = block
        return block

    def release(self, kind: Kind, block: Block, cache: int = 0) -> None:
        """Note the free of a block."""
        self.noted.append(operation(kind, block.slot, block.size, Flag.CHECK, cache))
        self.expected.append(0)
        del self.live[block.slot]

    def use(self, kind: Kind, value: int, slot: int, size: int = 0, flags: int = 0) -> None:
        """Note an operation of another sort that must return ``value``."""
        self.noted.append(operation(kind, slot, size, flags))
        self.expected.append(value)

    def free_some(self, which: int) -> None:
        """Free a live block by its number from the newest; nothing when none lives."""
        if self.live:
            self.give_back(list(self.live.values())[-1 - which % len(self.live)])

    def give_back(self, block: Block) -> None:
        """Free a live block, in the policy and on the tape."""
        raise NotImplementedError

    def finish(self, before: Inspection, after: Inspection) -> None:
        """Compare what is left at the end with what there was, for those who know what must be."""

    def teardown(self) -> None:
        """Carry the operations out, and compare."""
        if not self.noted:
            return
        with self.bench.boot() as guest:
            tape = Tape(guest)
            self._compare(tape, 0)
            assert tape.live() == {slot: block.value for slot, block in self.live.items()}
            before = inspected(guest)
            done = len(self.noted)
            for block in list(self.live.values()):
                self.give_back(block)
            self._compare(tape, done)
            assert tape.live() == {}
            self.finish(before, inspected(guest))

    def _compare(self, tape: Tape, start: int) -> None:
        if start < len(self.noted):
            noted = self.noted[start:]
            compare(noted, self.expected[start:], tape.run(operations(noted)))


def compare(
    noted: Sequence[tuple[int, int, int, int, int]], expected: Sequence[int], results: Results
) -> None:
    """See that each operation returned what it must; else say which did not."""
    differs = (results["value"] != np.array(expected, dtype=np.uint32)) | results["wrong"]
    for position in np.flatnonzero(differs)[:1].tolist():
        result, one = results[position], operations([noted[position]])[0]
        said = f"returned {result['value']:#x}, {expected[position]:#x} is right"
        wrong = " (its contents were wrong)" if result["wrong"] else ""
        raise AssertionError(f"operation {position}, {in_words(one)}, {said}{wrong}")


_MIXED = (Flag.HIGH | Flag.DMA, Flag.HIGH | Flag.NORMAL, Flag.HIGH | Flag.ZERO)


class FramesMachine(TapeMachine):
    """The frame interface, against a policy."""

    sizes = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 32, 64, 0, 100, 1024, 1025, 5000])
    wishes = st.sampled_from([0, Flag.DMA, Flag.NORMAL, Flag.HIGH, Flag.ZERO, *_MIXED])

    def __init__(self, bench: Workbench, policy: Callable[[MemoryState], FramePolicy]) -> None:
        super().__init__(bench)
        self.policy = policy(bench.state)

    @rule(size=sizes, flags=wishes)
    def alloc(self, size: int, flags: int) -> None:
        self.allocate(Kind.FRAMES_ALLOC, self.policy.alloc(flags, size), size, flags)

    @rule(which=WHICH)
    def free(self, which: int) -> None:
        self.free_some(which)

    def give_back(self, block: Block) -> None:
        self.policy.free(block.value, block.size)
        self.release(Kind.FRAMES_FREE, block)


class HeapMachine(TapeMachine):
    """The heap in charge, against a policy over that of the frames behind it."""

    sizes = st.one_of(
        st.integers(0, 64),
        st.integers(1, 600),
        st.integers(1, 20000),
        st.sampled_from([4095, 4096, 4097, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF]),
    )

    def __init__(self, bench: Workbench, policy: Callable[[MemoryState], HeapPolicy]) -> None:
        super().__init__(bench)
        self.policy = policy(bench.state)

    @rule(size=sizes)
    def alloc(self, size: int) -> None:
        self.allocate(Kind.HEAP_ALLOC, self.policy.alloc(size), size)

    @rule(which=WHICH)
    def free(self, which: int) -> None:
        self.free_some(which)

    def give_back(self, block: Block) -> None:
        self.policy.free(block.value)
        self.release(Kind.HEAP_FREE, block)
