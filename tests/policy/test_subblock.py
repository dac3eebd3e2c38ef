"""The heaps of sub-blocks must return what their policies say, whatever the frames come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from harness.check.inspect import Inspection
from harness.decode.belief.heaps import SubblockHeap, SubblockValue
from harness.decode.state import MemoryState
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.policy.policies import frame_policy, heap_policy
from harness.policy.subblock import SubblockPolicy
from harness.policy.subblock_list import SubblockList
from harness.policy.subblock_old import SubblockOldPolicy
from harness.policy.user import UserPolicy
from harness.workload.operation import Kind, operation, operations
from harness.workload.tape import Tape, tape_module
from tests.kernel.session import MIB, booted
from tests.workload.machine import WHICH, Block, HeapMachine, TapeMachine, Workbench, run

PAGE = 4096
START = 0xC0400000
Policy = SubblockPolicy | SubblockOldPolicy


class Chunks:
    """As many chunks as there are, upwards; what was given back is not given again."""

    def __init__(self, chunks: int) -> None:
        self.left = chunks
        self.next = START

    def take(self, chunks: int) -> tuple[int, int]:
        if chunks > self.left:
            return 0, 0
        self.left -= chunks
        self.next += chunks * PAGE
        return self.next - chunks * PAGE, chunks

    def give(self, start: int, chunks: int) -> None:
        assert START <= start < self.next
        self.left += chunks


def old(chunks: int = 16) -> SubblockOldPolicy:
    return SubblockOldPolicy(SubblockList(32), Chunks(chunks))


def new(chunks: int = 16) -> SubblockPolicy:
    return SubblockPolicy(SubblockList(32), Chunks(chunks))


both = pytest.mark.parametrize("make", [old, new])


@both
def test_first_fit_in_units_of_32_bytes_behind_160_bytes_of_records(
    make: Callable[[], Policy],
) -> None:
    policy = make()
    given = [policy.alloc(size) for size in (1, 32, 33, 64)]
    assert given == [START + 160, START + 192, START + 224, START + 288]
    policy.free(given[1])
    policy.free(given[2])
    assert [policy.alloc(96), policy.alloc(1)] == [START + 192, START + 352]


@both
def test_the_newest_block_is_looked_at_first(make: Callable[[], Policy]) -> None:
    policy = make()
    assert policy.alloc(3904) == START + 160
    assert policy.alloc(33) == START + PAGE + 160
    assert policy.alloc(32) == START + PAGE + 224


@both
def test_one_empty_block_is_kept(make: Callable[[int], Policy]) -> None:
    policy = make(2)
    given = [policy.alloc(3936) for _ in range(2)]
    for address in given:
        policy.free(address)
    assert [block.start for block in policy.blocks.blocks] == [START]
    assert policy.alloc(1) == START + 160


def test_the_old_one_gives_nothing_larger_than_a_block_holds() -> None:
    policy = old()
    assert policy.alloc(3937) == policy.alloc(0) == policy.alloc(0xFFFFFFF0) == 0
    assert policy.blocks.blocks == []


@pytest.mark.parametrize(
    ("size", "chunks", "offset"),
    [
        (3936, 1, 160),
        (3937, 2, 288),
        (247 * 32, 2, 288),
        (247 * 32 + 1, 3, 416),
        (16 * 3968 - 32, 16, 2080),
    ],
)
def test_a_large_block_has_as_few_chunks_as_it_needs(size: int, chunks: int, offset: int) -> None:
    """Of 128 sub-blocks a chunk its map takes 4, and its header one of the first chunk's."""
    policy = new()
    assert policy.alloc(size) == START + offset
    assert [block.chunks for block in policy.blocks.blocks] == [chunks]


def test_the_kept_block_helps_where_there_is_nothing_else() -> None:
    policy = new(2)
    policy.free(policy.alloc(1))
    assert policy.alloc(5000) == START + PAGE + 288
    assert policy.blocks.spare is None
    assert policy.alloc(5000) == 0


class SubblockMachine(HeapMachine):
    """Random lives, at whose ends the maps are compared too: which allocations they tell apart."""

    sizes = st.one_of(
        st.sampled_from([0, 1, 32, 64, 96]),
        st.integers(1, 200),
        st.sampled_from([3904, 3935, 3936, 3937, 4096, 7904, 7905, 40000]),
        st.integers(1, 30000),
        st.sampled_from([1 << 20, 4 << 20, 1 << 30, 0x7FFFFFFF, 0xFFFFFFE1, 0xFFFFFFFF]),
    )

    def finish(self, before: Inspection, after: Inspection) -> None:
        assert allocations(before) == sorted(block.value for block in self.noted_live)
        assert allocations(after) == []

    def teardown(self) -> None:
        self.noted_live = list(self.live.values())
        super().teardown()


def allocations(inspection: Inspection) -> list[int]:
    """Return where the runs of one colour begin in the maps of a state."""
    return sorted(start for heap in inspection.state.subblock_heaps for start in starts(heap))


def starts(heap: SubblockHeap) -> Iterator[int]:
    borders = heap.borders.tolist()
    for block, low, high in zip(heap.blocks, borders, borders[1:], strict=False):
        values = heap.map[low:high].tolist()
        for index, value in enumerate(values):
            if value >= SubblockValue.COLOUR and value != values[index - 1]:
                yield int(block["start"]) + index * heap.subblock


def policy_of(state: MemoryState) -> Policy:
    """Return the policy of the heap in charge over that of the frames in charge."""
    frames = frame_policy(state)
    assert frames is not None
    policy = heap_policy(state, frames)
    assert isinstance(policy, SubblockPolicy | SubblockOldPolicy)
    return policy


@pytest.mark.parametrize(
    ("append", "memory"),
    [
        ("heap=subblock", 4),
        ("mm=oct", 64),
        ("heap=subblock-old", 4),
        ("heap=subblock frames=pair", 4),
    ],
)
def test_random_lives_of_allocations(
    kernel: KernelImage, pool: Pool, append: str, memory: int
) -> None:
    bench = Workbench(kernel, pool, memory * MIB, append=append)
    run(lambda: SubblockMachine(bench, policy_of))


class UserMachine(TapeMachine):
    """The heap in user space, with regions of others between its own."""

    sizes = st.one_of(
        st.sampled_from([0, 1, 32, 64, 96]),
        st.integers(1, 200),
        st.sampled_from([3936, 3937, 7904, 7905, 40000, 0xFFFFFFE1, 0xC0000000]),
        st.integers(1, 30000),
    )

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self.regions = UserPolicy.of(bench.state)
        self.policy = SubblockPolicy.of_user(SubblockList(32), self.regions)
        self.regions_given: set[int] = set()

    @rule(size=sizes)
    def alloc(self, size: int) -> None:
        self.allocate(Kind.USER_HEAP_ALLOC, self.policy.alloc(size), size)

    @rule(pages=st.integers(1, 9))
    def alloc_region(self, pages: int) -> None:
        block = self.allocate(Kind.USER_ALLOC, self.regions.alloc(pages), pages)
        self.regions_given.add(block.slot)

    @rule(which=WHICH)
    def free(self, which: int) -> None:
        self.free_some(which)

    def give_back(self, block: Block) -> None:
        if block.slot in self.regions_given:
            self.regions.free(block.value)
            self.release(Kind.USER_FREE, block)
        else:
            self.policy.free(block.value)
            self.release(Kind.USER_HEAP_FREE, block)

    def finish(self, before: Inspection, after: Inspection) -> None:
        assert allocations(after) == []


def test_random_lives_of_allocations_in_user_space(kernel: KernelImage, pool: Pool) -> None:
    bench = Workbench(kernel, pool, 64 * MIB)
    run(lambda: UserMachine(bench))


@pytest.mark.parametrize(
    ("append", "size"),
    [("heap=subblock", 100), ("heap=subblock", 9000), ("heap=subblock-old", 3936)],
)
def test_exhaustion_to_the_last_frame_and_full_recovery(
    kernel: KernelImage, pool: Pool, append: str, size: int
) -> None:
    """Every address is the policy's, also of those that fail, and of those that come again."""
    count = 4 * MIB // size
    module = tape_module(kernel, 3 * count, count)
    with booted(kernel, pool, 4 * MIB, append=append, modules=(module,)) as session:
        before = session.assert_sound()
        policy, tape = policy_of(before.state), Tape(session.guest)
        expected = [policy.alloc(size) for _ in range(count)]
        assert 0 in expected
        given = tape.run(operations(operation(Kind.HEAP_ALLOC, i, size) for i in range(count)))
        assert given["value"].tolist() == expected
        session.assert_sound()
        order = sorted(range(count), key=lambda slot: slot * 0x9E3779B1 % (1 << 32))
        tape.run(operations(operation(Kind.HEAP_FREE, i) for i in order))
        for slot in order:
            if expected[slot]:
                policy.free(expected[slot])
        after = session.assert_sound()
        kept = session.ok("subblock").number("chunks") * PAGE
        assert kept <= PAGE
        assert after.summary.free_bytes == before.summary.free_bytes - kept
        again = [policy.alloc(size) for _ in range(count)]
        assert again.count(0) == expected.count(0)
        given = tape.run(operations(operation(Kind.HEAP_ALLOC, i, size) for i in range(count)))
        assert given["value"].tolist() == again
