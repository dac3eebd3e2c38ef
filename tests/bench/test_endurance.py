"""Whether memory grows is told by workers that were looked at for a while, or not at all."""

from __future__ import annotations

import pytest

from harness.bench import endurance
from harness.image.kernel_image import KernelImage
from harness.machine.errors import MachineError

pytestmark = pytest.mark.slow


def test_a_campaign_too_short_to_be_looked_at_is_no_figure(
    kernel: KernelImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endurance, "CASES", 8)
    with pytest.raises(MachineError, match=r"memory_growth cannot be measured: .* 8 cases, no"):
        endurance.measure(kernel)


def test_a_campaign_that_was_looked_at_is_one(
    kernel: KernelImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endurance, "CASES", 100)
    monkeypatch.setattr(endurance, "LOOK_SECONDS", 0.0)
    growth, timeouts = endurance.measure(kernel)
    assert (growth.name, timeouts.name) == endurance.FIGURES
    assert growth.value > 0.5
    assert growth.details["early MiB"] > 1
    assert timeouts.value == 0
