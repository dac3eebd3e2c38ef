"""What ``harness run`` boots when it is not told what."""

from __future__ import annotations

import click
import pytest

from harness.cli.matrix import FEW_MAPS, default_matrix
from harness.cli.options import Selection
from harness.cli.run import run
from harness.image.kernel_image import KernelImage
from harness.maps import library


def selection(*words: str) -> Selection:
    """Return what the command line means."""
    values = run.make_context("run", list(words)).params
    values["preset"] = None
    return Selection(**{name: values[name] for name in Selection.__dataclass_fields__})


def test_every_preset_is_booted_on_a_few_machines(kernel: KernelImage) -> None:
    machines = default_matrix(selection(), kernel)
    for preset in kernel.description.presets:
        mine = [spec for spec in machines if spec.append == preset.append]
        assert {spec.map.name for spec in mine if spec.map is not None} == set(FEW_MAPS)
        assert len({spec.memory for spec in mine}) > 2
        assert {spec.kernel.variables for spec in mine} == {tuple(preset.variables.items())}


def test_the_words_of_the_command_line_come_last(kernel: KernelImage) -> None:
    machines = default_matrix(selection("--append", "tlb=full"), kernel)
    assert {spec.append for spec in machines} == {
        "tlb=full",
        *(f"{preset.append} tlb=full" for preset in kernel.description.presets),
    }


def test_a_chosen_preset_is_the_only_one(kernel: KernelImage) -> None:
    chosen = selection().with_preset_called("ferrite")
    machines = default_matrix(chosen, kernel)
    assert {spec.append for spec in machines} == {"mm=ferrite"}
    assert {spec.map.name for spec in machines if spec.map is not None} >= set(library.names())
    with pytest.raises(click.UsageError, match="--preset ferrite has been chosen already"):
        chosen.with_preset_called("oct")


def test_what_the_user_says_of_the_build_goes_before_a_preset(kernel: KernelImage) -> None:
    chosen = selection("--build", "LAYOUT=higher-half").with_preset_called("oct")
    assert chosen.variables == {"LAYOUT": "higher-half"}
