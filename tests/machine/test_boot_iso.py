"""CD images: made once, kept for a while, and shared by runs at the same time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.machine import boot_iso
from harness.machine.boot_iso import build_iso
from harness.machine.spec import BootPath, MachineSpec
from tests.machine import kernels

MEMORY = 16 << 20
VOLUME = b"CD001"
"""At byte 1 of sector 16 of every CD (ECMA-119, section 8.1)."""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MachineSpec:
    """Give a machine whose images go into a folder of their own."""
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    kernel = kernels.assemble(tmp_path, kernels.READY)
    return MachineSpec(kernel, MEMORY, boot=BootPath.ISO)


def test_two_at_once_make_one_image(spec: MachineSpec) -> None:
    with ThreadPoolExecutor(2) as workers:
        one, other = workers.map(build_iso, [spec, spec])
    assert one == other
    assert one.read_bytes()[16 * 2048 + 1 :].startswith(VOLUME)
    assert list(one.parent.iterdir()) == [one]


def test_no_image_is_kept_beyond_the_bound_nor_half_of_one(
    spec: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot_iso, "KEPT_IMAGES", 0)
    image = build_iso(spec)
    assert not image.exists()
    monkeypatch.setattr(boot_iso, "KEPT_IMAGES", 1)
    fresh, stale = (image.parent / f"{boot_iso.UNFINISHED}{name}" for name in ("new", "old"))
    for folder in (fresh, stale):
        (folder / "tree").mkdir(parents=True)
    os.utime(stale, (0, 0))
    assert build_iso(spec) == image
    assert sorted(image.parent.iterdir()) == sorted([image, fresh])
