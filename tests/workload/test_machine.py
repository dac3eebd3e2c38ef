"""The state machines themselves: they see what is wrong, and say it in as few steps as it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import Phase, settings

from harness.decode.state import MemoryState
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.policy.buddy import BuddyPolicy
from harness.policy.protocols import FramePolicy
from tests.workload.machine import SETTINGS, FramesMachine, Workbench, run

pytestmark = pytest.mark.slow

PAGE = 4096
QUICK = settings(
    SETTINGS,
    max_examples=40,
    stateful_step_count=10,
    phases=(Phase.generate, Phase.shrink),
    derandomize=True,
)


@pytest.fixture
def bench(kernel: KernelImage, pool: Pool) -> Workbench:
    return Workbench(kernel, pool, append="frames=buddy")


class Lying:
    """A policy that is right but for one thing."""

    def __init__(self, state: MemoryState, lie: Callable[[int, int, int], int]) -> None:
        self.right = BuddyPolicy.of(state)
        self.lie = lie
        """Of an address that is right, the size, and the number of blocks that live."""
        self.told: dict[int, int] = {}

    def alloc(self, flags: int, pages: int) -> int:
        right = self.right.alloc(flags, pages)
        told = self.lie(right, pages, len(self.told)) if right else 0
        self.told[told] = right
        return told

    def free(self, address: int, pages: int) -> None:
        self.right.free(self.told.pop(address), pages)


def shortest_complaint(
    bench: Workbench, lie: Callable[[int, int, int], int], capsys: pytest.CaptureFixture[str]
) -> tuple[str, list[str]]:
    """Return what a state machine says of a lie, and the steps that it says it with."""

    def policy(state: MemoryState) -> FramePolicy:
        return Lying(state, lie)

    with pytest.raises(AssertionError) as caught:
        run(lambda: FramesMachine(bench, policy), QUICK)
    notes = "\n".join(getattr(caught.value, "__notes__", []))
    lines = (notes + capsys.readouterr().out).splitlines()
    return str(caught.value), [line.strip() for line in lines if line.strip().startswith("state.")]


def test_a_wrong_address_shrinks_to_an_allocation_or_two(
    bench: Workbench, capsys: pytest.CaptureFixture[str]
) -> None:
    said, steps = shortest_complaint(
        bench, lambda right, pages, live: right + (PAGE // 2 if pages == 3 else 0), capsys
    )
    assert "frames_alloc(size=3, " in said
    assert steps[-2:] == ["state.alloc(flags=0, size=3)", "state.teardown()"]
    assert len(steps) <= 3, "one is enough; Hypothesis does not always get there"


def test_what_needs_three_live_blocks_shrinks_to_three_allocations(
    bench: Workbench, capsys: pytest.CaptureFixture[str]
) -> None:
    said, steps = shortest_complaint(
        bench, lambda right, pages, live: right + (PAGE // 2 if live == 2 else 0), capsys
    )
    assert "frames_alloc(size=1, " in said
    assert set(steps[:-1]) == {"state.alloc(flags=0, size=1)"}
    assert len(steps) <= 5, "three are enough"


def test_a_policy_that_is_right_is_not_contradicted(bench: Workbench) -> None:
    run(lambda: FramesMachine(bench, BuddyPolicy.of), settings(SETTINGS, max_examples=10))
