"""Tapes: every kind of operation, flags, pieces, refusals, and ends in the middle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.workload.operation import Kind, operation, operations
from harness.workload.tape import Tape, tape_module
from tests.kernel.session import MIB, PAGE, Session, booted

DIRECT_MAP = 0xC0000000


@pytest.fixture
def session(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    module = tape_module(kernel, operations=256, slots=128)
    with booted(kernel, pool, 64 * MIB, modules=(module,)) as session:
        yield session


def test_frames_are_given_held_and_taken_back(session: Session) -> None:
    tape, before = Tape(session.guest), session.zone()
    results = tape.run(operations([operation(Kind.FRAMES_ALLOC, 3, 4)]))
    physical = int(results["value"][0])
    assert physical % (4 * PAGE) == 0
    assert tape.live() == {3: physical}
    owners = session.assert_sound().state.frame_table.owners
    held = np.flatnonzero(owners["held"])
    assert held.tolist() == [physical // PAGE + i for i in range(4)]
    tape.run(operations([operation(Kind.FRAMES_FREE, 3, 4)]))
    assert tape.live() == {}
    assert session.zone() == before


def test_a_tape_longer_than_the_module_is_fed_in_pieces(session: Session) -> None:
    tape, seen = Tape(session.guest), []
    pairs = [
        one
        for number in range(300)
        for one in (
            operation(Kind.FRAMES_ALLOC, number % 128, 1),
            operation(Kind.FRAMES_FREE, number % 128, 1),
        )
    ]
    results = tape.run(operations(pairs), progress=seen.append)
    assert seen == [256, 512, 600]
    assert (results["value"][::2] != 0).all()
    assert not results["value"][1::2].any()
    assert tape.live() == {}
    session.assert_sound()
