"""The single entry, on real machines."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from harness.check.verify import verify
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region

MIB = 1 << 20


def words(violations: tuple[object, ...]) -> str:
    return "\n".join(str(one) for one in violations)


def test_a_correct_kernel_is_good(kernel: KernelImage, pool: Pool) -> None:
    verdict = verify(MachineSpec(kernel, 64 * MIB), pool)
    assert (verdict.verdict, verdict.ended) == ("good", "ready"), words(verdict.violations)
    assert verdict.violations == ()
    assert verdict.seconds > 0


def test_the_summary_adds_up(kernel: KernelImage, pool: Pool) -> None:
    summary = verify(MachineSpec(kernel, 64 * MIB), pool).summary
    assert summary is not None
    usable = sum(len(frames) for frames in MemoryMap.pc(64 * MIB).usable_frames())
    assert summary.usable_bytes == usable * 4096
    assert summary.free_bytes + sum(summary.lost.values()) * 4096 == summary.usable_bytes
    assert summary.lost["kernel image"] == -(-len(kernel.image_range()) // 4096)
    assert summary.largest_free_block == 4 * MIB


def test_without_a_pool_and_at_its_moments(kernel: KernelImage) -> None:
    verdict = verify(MachineSpec(kernel, 16 * MIB), thorough=True)
    assert verdict.verdict == "good", words(verdict.violations)


def test_a_machine_without_usable_memory_is_rightly_refused(
    kernel: KernelImage, pool: Pool
) -> None:
    nothing = MemoryMap((Region(0, 16 * MIB, 2),))
    verdict = verify(MachineSpec(kernel, 16 * MIB, nothing), pool)
    assert (verdict.verdict, verdict.ended) == ("refused", "refused"), words(verdict.violations)
    assert verdict.refusal == "the map has no usable frame where RAM is"


@pytest.mark.parametrize(
    ("pattern", "ended", "kind"),
    [("refused", "refused", "ending.refused"), ("panic", "panic", "ending.panic")],
)
def test_a_good_machine_that_is_not_made_ready_is_a_finding(
    kernel: KernelImage, pool: Pool, pattern: str, ended: str, kind: str
) -> None:
    """A line of a correct boot stands for the one with which a wrong kernel gives up."""
    description = kernel.description
    line = re.compile(r"^mm: (?P<message>.*)$")
    console = replace(description.console, **{pattern: line}, end=line)
    wrong = replace(kernel, description=replace(description, console=console))
    verdict = verify(MachineSpec(wrong, 16 * MIB), pool)
    assert (verdict.verdict, verdict.ended) == ("finding", ended)
    assert [one.kind for one in verdict.violations] == [kind]
    assert verdict.summary is None


def test_a_verdict_as_json(kernel: KernelImage, pool: Pool) -> None:
    spec = MachineSpec(kernel, 16 * MIB, MemoryMap.pc(16 * MIB))
    found = json.loads(json.dumps(verify(spec, pool).to_json()))
    assert found["map"] == "pc"
    assert found["memory"] == 16 * MIB
    assert (found["boot"], found["verdict"], found["ended"]) == ("direct", "good", "ready")
    assert found["violations"] == []
    assert found["summary"]["usable_bytes"] > 15 * MIB
