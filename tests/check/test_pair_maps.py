"""A pair bitmap beside its free lists, correct and then wrong in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from harness.check.check import check
from harness.check.model import Model
from harness.decode.belief.frames import PairMap, PairZone
from harness.decode.state import MemoryState
from tests.check import example

LARGEST = (9, 9, 8)
"""Of 512, 512 and 256 frames."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return example.model(tmp_path_factory.mktemp("example"))


def bits(start: int, end: int, order: int, blocks: list[int]) -> np.ndarray:
    """Return the bits of one order, worked out pair by pair."""
    step = 1 << order
    pairs = range(start, end, 2 * step)
    return np.array([(low in blocks) != (low + step in blocks) for low in pairs], dtype=np.bool_)


def pair_zone(zone: int) -> PairZone:
    start = (0, *example.ZONE_ENDS)[zone]
    end = min(example.ZONE_ENDS[zone], example.FRAMES)
    blocks = example.free_blocks()
    pairs = tuple(
        bits(start, end, order, blocks.get((zone, order), [])) for order in range(LARGEST[zone])
    )
    size = (end - start) * example.PAGE
    return PairZone(start * example.PAGE, size, LARGEST[zone], pairs)


def state() -> MemoryState:
    managed = example.mask(example.usable() - example.reserved())
    found = PairMap("buddy", tuple(pair_zone(zone) for zone in range(3)), managed)
    return replace(example.state(), pair_maps=(found,))


def in_zone(zone: int, **fields: object) -> MemoryState:
    """Return the state with one zone's map changed."""
    whole = state()
    [found] = whole.pair_maps
    zones = list(found.zones)
    zones[zone] = replace(zones[zone], **fields)  # type: ignore[arg-type]
    return replace(whole, pair_maps=(replace(found, zones=tuple(zones)),))


def flipped(zone: int, order: int, pair: int) -> MemoryState:
    pairs = list(pair_zone(zone).pairs)
    pairs[order] = pairs[order].copy()
    pairs[order][pair] ^= True
    return in_zone(zone, pairs=tuple(pairs))


def noted(frame: int, value: bool) -> MemoryState:
    """Return the state with one frame noted as managed, or not."""
    whole = state()
    [found] = whole.pair_maps
    assert found.managed is not None
    managed = found.managed.copy()
    managed[frame] = value
    return replace(whole, pair_maps=(replace(found, managed=managed),))


def reports(model: Model, state: MemoryState) -> list[tuple[str, str]]:
    return [(one.kind, one.message) for one in check(model, state)]


def test_a_correct_map_is_silent(model: Model) -> None:
    assert any(pairs.any() for zone in state().pair_maps[0].zones for pairs in zone.pairs)
    assert reports(model, state()) == []


@pytest.mark.parametrize(("zone", "order", "pair"), [(0, 0, 5), (1, 0, 255), (2, 7, 0), (2, 3, 4)])
def test_each_bit_is_compared(model: Model, zone: int, order: int, pair: int) -> None:
    [(kind, message)] = reports(model, flipped(zone, order, pair))
    low = (0, *example.ZONE_ENDS)[zone] + (pair << (order + 1))
    assert kind == "pair-map.bit"
    assert f"of order {order} at frames 0x{low:x} and 0x{low + (1 << order):x} " in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frames: [], "is 1, but neither of the two is on the list"),
        (lambda frames: [*frames, frames[-1] ^ 2], "is 1, but both of the two are on the list"),
    ],
)
def test_the_lists_decide(
    model: Model, change: Callable[[list[int]], list[int]], said: str
) -> None:
    blocks = example.free_blocks()[0, 1]
    changed = example.with_list(state(), 0, 1, change(blocks))
    found = [message for kind, message in reports(model, changed) if kind == "pair-map.bit"]
    assert any(said in message for message in found)


def test_a_flood_of_wrong_bits_is_bounded(model: Model) -> None:
    inverted = tuple(~pairs for pairs in pair_zone(0).pairs)
    found = reports(model, in_zone(0, pairs=inverted))
    assert 0 < len(found) < 40


@pytest.mark.parametrize(
    ("frame", "value", "kind"),
    [
        (0x300, False, "pair-map.unmanaged"),
        (0, True, "pair-map.managed"),
        (example.IMAGE.start, True, "pair-map.managed"),
        (example.MEM_MAP.start, True, "pair-map.managed"),
        (0xA0, True, "pair-map.managed"),
    ],
)
def test_what_is_managed(model: Model, frame: int, value: bool, kind: str) -> None:
    [(found, message)] = reports(model, noted(frame, value))
    assert found == kind
    assert message.startswith(f"frame 0x{frame:x} ")


def test_a_map_without_a_note_of_what_is_managed(model: Model) -> None:
    whole = state()
    bare = replace(whole.pair_maps[0], managed=None)
    assert reports(model, replace(whole, pair_maps=(bare,))) == []


@pytest.mark.parametrize(
    ("zone", "fields", "kind"),
    [
        (2, {"size": 0xFF000}, "pair-map.extent"),
        (1, {"base": 0x1FF000}, "pair-map.alignment"),
        (1, {"base": 0x400000}, "pair-map.extent"),
        (0, {"size": 0x400000}, "pair-map.extent"),
        (0, {"max_order": 8}, "pair-map.order"),
        (2, {"max_order": 9}, "pair-map.order"),
    ],
)
def test_an_extent_that_does_not_fit(
    model: Model, zone: int, fields: dict[str, int], kind: str
) -> None:
    assert kind in [found for found, _ in reports(model, in_zone(zone, **fields))]
