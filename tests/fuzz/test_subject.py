"""Who tells a campaign which ways through its code the kernel goes, and that it hears it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness.fuzz.attempt import attempt
from harness.fuzz.campaign import Plan, Progress, run_campaign
from harness.fuzz.case import Case
from harness.fuzz.case_file import load_case
from harness.fuzz.corpus import seeds
from harness.fuzz.finding import CASE, note_finding
from harness.fuzz.store import StoreError, open_store
from harness.fuzz.subject import Source, Subject, choose_subject
from harness.image.build import build
from harness.image.description import load_description
from harness.image.elf import load_kernel
from harness.image.errors import DescriptionError
from harness.image.kernel_image import KernelImage
from harness.machine import plugin
from harness.machine.boot_iso import build_iso
from harness.machine.errors import MachineError, ToolMissing
from harness.machine.pool import Pool
from harness.machine.spec import BootPath, MachineSpec
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.workload.operation import Kind, operation
from tests.fuzz.bugs import rounds_the_start_down
from tests.kernel.planted import SourceCopy
from tests.reader import TOP

pytestmark = pytest.mark.slow

MEMORY = 16 << 20
PART = Region((15 << 20) + 0x800, 0x8000, 1)
"""Begins within a frame."""
MAP = """
/* What the compiler calls, and what it fills; not to be called by itself. */
unsigned char coverage_map[65536];
void __sanitizer_cov_trace_pc(void);
__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void)
{
    static unsigned previous;
    unsigned place = (unsigned)__builtin_return_address(0) * 0x9E3779B1u >> 16;
    unsigned char *counter = &coverage_map[place ^ previous];
    *counter += *counter < 255;
    previous = place >> 1;
}
"""
TABLE = """
[coverage]
map = "coverage_map"
variables = { EXTRA_CFLAGS = "-fsanitize-coverage=trace-pc" }
"""


def choose(
    plain: KernelImage,
    telling: KernelImage,
    wanted: Source | None = None,
    begun: str | None = None,
) -> Subject:
    def built(variables: Mapping[str, str]) -> KernelImage:
        assert variables == {"COVERAGE": "1"}
        return telling

    return choose_subject(plain, MEMORY, built, wanted, begun)


def test_the_compiler_tells_if_it_can(kernel: KernelImage, telling_kernel: KernelImage) -> None:
    subject = choose(kernel, telling_kernel)
    assert subject == Subject(telling_kernel, Source.COMPILER, kernel)


def test_a_campaign_goes_on_with_the_kernel_that_it_began_with(
    kernel: KernelImage, telling_kernel: KernelImage
) -> None:
    assert choose(kernel, telling_kernel, begun=kernel.digest) == Subject(kernel, Source.QEMU)


def test_without_a_compiler_for_plugins_there_are_no_edges_and_a_reason(
    kernel: KernelImage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare = replace(kernel, description=replace(kernel.description, coverage=None))
    assert choose(bare, bare).source is Source.QEMU
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(plugin, "COMPILERS", ())
    subject = choose(bare, bare)
    assert subject.source is Source.NONE
    assert "no C compiler" in str(subject.why_none)
    with pytest.raises(ToolMissing, match="no C compiler"):
        choose(bare, bare, Source.QEMU)


def test_a_qemu_that_does_not_take_the_plugin_is_no_end(
    kernel: KernelImage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare = replace(kernel, description=replace(kernel.description, coverage=None))
    broken = tmp_path / "broken.so"
    broken.write_text("no plugin")
    monkeypatch.setattr("harness.cover.table.compiled", lambda package, file: broken)
    subject = choose(bare, bare)
    assert subject.source is Source.NONE
    assert "broken.so" in str(subject.why_none)


def test_a_cache_that_cannot_be_written_to_is_named(
    kernel: KernelImage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare = replace(kernel, description=replace(kernel.description, coverage=None))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "file"))
    subject = choose(bare, bare)
    assert subject.source is Source.NONE
    assert f"cannot write to {tmp_path}/file/plugins: Not a directory; set" in str(subject.why_none)
    spec = MachineSpec(kernel, MEMORY, boot=BootPath.ISO)
    with pytest.raises(MachineError, match="file/iso: Not a directory; set HARNESS_CACHE_DIR"):
        build_iso(spec)


def test_nobody_tells_when_nobody_is_to(telling_kernel: KernelImage, pool: Pool) -> None:
    subject = choose(telling_kernel, telling_kernel, Source.NONE)
    [case, *_] = seeds(telling_kernel, MEMORY)
    assert attempt(case, telling_kernel, pool).edges
    assert attempt(case, subject.kernel, pool).edges == frozenset()


def test_a_compiler_that_is_wanted_and_has_no_table_is_said(kernel: KernelImage) -> None:
    bare = replace(kernel, description=replace(kernel.description, coverage=None))
    with pytest.raises(DescriptionError, match=r"has no \[coverage\] table"):
        choose(bare, bare, Source.COMPILER)


def test_a_tape_s_edges_and_a_finding_s_count(telling_kernel: KernelImage, pool: Pool) -> None:
    [case, *_] = seeds(telling_kernel, MEMORY)
    frames, heap = (
        attempt(replace(case, steps=(operation(kind, 0, 3),)), telling_kernel, pool)
        for kind in (Kind.FRAMES_ALLOC, Kind.HEAP_ALLOC)
    )
    assert frames.word == heap.word == "good"
    assert len(heap.edges - frames.edges) > 5  # until they are ready the two are the same
    refused = attempt(Case(MEMORY, MemoryMap(())), telling_kernel, pool)
    assert refused.word == "refused"
    assert refused.edges - heap.edges


def campaign(plan: Plan, folder: Path) -> Progress:
    with open_store(folder) as store:
        *_, last = run_campaign(plan, store)
        return last


@pytest.mark.parametrize("blocks", [False, True])
def test_a_campaign_keeps_cases_for_their_edges_and_knows_them_the_next_time(
    kernel: KernelImage, telling_kernel: KernelImage, tmp_path: Path, blocks: bool
) -> None:
    subject = Subject(kernel, Source.QEMU) if blocks else Subject(telling_kernel, Source.COMPILER)
    plan = Plan(subject, MEMORY, most_cases=30)
    first = campaign(plan, tmp_path)
    with open_store(tmp_path) as store:
        kept = list(store.corpus())
    assert first.edges == len({edge for one in kept for edge in one.edges}) > 500
    assert any(one.edges and not one.new for one in kept)
    assert first.last_new_edge > first.started
    if not blocks:  # where QEMU tells, an instant more or less at the prompt makes a difference
        campaign(plan, tmp_path / "again")
        with open_store(tmp_path / "again") as store:
            assert list(store.corpus()) == kept
    second = campaign(replace(plan, most_cases=1), tmp_path)
    assert first.edges <= second.edges < first.edges * 1.5


def test_a_campaign_that_nobody_could_tell_of_edges_gets_them_once_somebody_can(
    kernel: KernelImage, tmp_path: Path
) -> None:
    plan = Plan(Subject(kernel, why_none="no C compiler"), MEMORY, most_cases=1)
    assert campaign(plan, tmp_path).counts.coverage is None
    told = replace(plan, subject=Subject(kernel, Source.QEMU))
    assert campaign(told, tmp_path).edges > 100
    with pytest.raises(StoreError, match="with --coverage qemu, and this one is with none"):
        campaign(replace(plan, subject=Subject(kernel)), tmp_path)


@pytest.mark.parametrize("shows", [True, False])
def test_a_finding_is_the_plain_kernel_s_if_that_shows_it(
    source_copy: SourceCopy, kernel: KernelImage, pool: Pool, tmp_path: Path, shows: bool
) -> None:
    wrong = rounds_the_start_down(source_copy)
    other = tmp_path / "plain.elf"
    subprocess.run(["objcopy", "--remove-section=.comment", wrong.path, other], check=True)
    plain = load_kernel(other, wrong.description) if shows else kernel
    assert plain.digest != wrong.digest
    first = attempt(Case(MEMORY, MemoryMap((Region(1 << 20, 14 << 20, 1), PART))), wrong, pool)
    with open_store(tmp_path) as store:
        folder = store.finding_folder(str(first.group))
        note_finding(folder, first, wrong)
    campaign(Plan(Subject(wrong, plain=plain), MEMORY, most_cases=1), tmp_path)
    assert load_case(folder / CASE).kernel.digest == (plain if shows else wrong).digest


def test_a_kernel_of_somebody_s_own_tells_by_a_file_and_a_flag(tmp_path: Path, pool: Pool) -> None:
    shutil.copytree(TOP / "examples" / "common", tmp_path / "common")
    folder = shutil.copytree(TOP / "examples" / "pae", tmp_path / "pae")
    (folder / "coverage.c").write_text(MAP)
    makefile = folder / "Makefile"
    makefile.write_text(makefile.read_text().replace("entry main ", "entry main coverage "))
    with (folder / "harness.toml").open("a") as file:
        file.write(TABLE)
    description = load_description(folder / "harness.toml")
    subject = choose_subject(
        build(description, build_root=tmp_path),
        MEMORY,
        lambda more: build(description, more, tmp_path),
        None,
        None,
    )
    assert subject.source is Source.COMPILER
    whole, *others = seeds(subject.kernel, MEMORY)[:6]
    known = attempt(whole, subject.kernel, pool).edges
    assert len(known) > 50
    assert any(attempt(other, subject.kernel, pool).edges - known for other in others)
