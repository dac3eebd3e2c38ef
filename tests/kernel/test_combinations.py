"""Any early allocator with any frame allocator with any heap: each of them must make a good boot.

The parts that there are come out of the kernel itself, so that a new one is tried with all others.
"""

from __future__ import annotations

import itertools
from functools import cache

import pytest

from harness.check.verify import verify
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.maps import library
from harness.maps.scale import scale
from harness.report.run_table import finding_text
from tests.kernel.layouts import both_layouts
from tests.kernel.session import MIB, booted

pytestmark = both_layouts

KINDS = {"early": "early allocator", "frames": "frame allocator", "heap": "heap"}
"""Words of the command line, and what the kernel calls what they choose."""
PRESETS = {
    "helios": "early=bootmem frames=buddy heap=kmalloc",
    "ferrite": "early=memblock frames=pair heap=kmalloc",
    "apoptos": "early=memblock frames=pmm heap=malloc",
    "oct": "early=memblock frames=bitmap heap=subblock",
}
KEPT = 8
"""Frames that a heap may keep when nothing in it lives, such as an empty slab for each cache."""
SMALL, LARGE = (1, 100, 900, 3000), (5000, 70000)
ONLY_SMALL = "heap=subblock-old"
"""Its document gives it blocks of 4 KiB, and nothing larger."""
REAL = library.get("sandybridge-hole-2.6-3.0")


def last_words(kernel: KernelImage, pool: Pool, append: str) -> str:
    """Return the message of the panic that a command line must bring about."""
    with pool.boot(MachineSpec(kernel, 4 * MIB, append=append)) as guest:
        ending = guest.run_until_ready()
    assert ending.kind is EndingKind.PANIC, str(ending)
    return ending.message


@cache
def parts(kernel: KernelImage, pool: Pool, kind: str) -> tuple[str, ...]:
    """Return the parts of one kind, by the kernel's own list of them."""
    message = last_words(kernel, pool, f"{kind}=nothing")
    start = f"no {KINDS[kind]} 'nothing': there are "
    assert message.startswith(start)
    return tuple(message.removeprefix(start).split(", "))


def combinations(kernel: KernelImage, pool: Pool) -> list[str]:
    """Return the words that choose each combination."""
    choices = [[f"{kind}={name}" for name in parts(kernel, pool, kind)] for kind in KINDS]
    return [" ".join(words) for words in itertools.product(*choices)]


def findings(specs: list[MachineSpec], pool: Pool, thorough: bool = False) -> dict[str, str]:
    """Return what is wrong, by the words that chose it."""
    verdicts = [(spec.append, verify(spec, pool, thorough)) for spec in specs]
    return {words: finding_text(v) for words, v in verdicts if v.verdict != "good"}


def test_there_is_a_choice_of_every_kind(kernel: KernelImage, pool: Pool) -> None:
    assert set(parts(kernel, pool, "early")) >= {"bootmem", "memblock"}
    assert set(parts(kernel, pool, "frames")) >= {"buddy", "pair", "pmm", "bitmap"}
    assert set(parts(kernel, pool, "heap")) >= {"kmalloc", "malloc", "subblock-old", "subblock"}


@pytest.mark.parametrize("cpu", ["qemu32", "486,-pse"])
@pytest.mark.parametrize("memory", [4 * MIB, 24 * MIB])
def test_every_combination_makes_a_good_boot(
    kernel: KernelImage, pool: Pool, memory: int, cpu: str
) -> None:
    words = combinations(kernel, pool)
    specs = [MachineSpec(kernel, memory, cpu=cpu, append=chosen) for chosen in words]
    assert findings(specs, pool) == {}


def test_every_combination_on_a_real_machine(kernel: KernelImage, pool: Pool) -> None:
    memory_map = scale(REAL, 64 * MIB)
    words = combinations(kernel, pool)
    specs = [MachineSpec(kernel, 64 * MIB, map=memory_map, append=chosen) for chosen in words]
    assert findings(specs, pool) == {}


@pytest.mark.slow
def test_every_combination_gives_and_takes_back(kernel: KernelImage, pool: Pool) -> None:
    """Frames and blocks of the heap, alive at once; the state is right at each step."""
    for words in combinations(kernel, pool):
        with booted(kernel, pool, append=words) as session:
            before = session.ok("frames").number("free")
            frames = session.ok("pages 3")
            sizes = SMALL if ONLY_SMALL in words else SMALL + LARGE
            blocks = [session.ok(f"heap alloc {size}") for size in sizes]
            assert len({block.number("virtual") for block in blocks}) == len(blocks)
            session.assert_sound()
            for block in blocks[1:]:
                session.ok(f"heap free {block.values['virtual']}")
            session.ok(f"freepages {frames.values['physical']} 3")
            session.assert_sound()
            session.ok(f"heap free {blocks[0].values['virtual']}")
            assert before - session.ok("frames").number("free") <= KEPT, words
            session.assert_sound()


@pytest.mark.parametrize("memory", [17 * MIB, 1024 * MIB])
def test_each_preset_looked_at_thoroughly(kernel: KernelImage, pool: Pool, memory: int) -> None:
    specs = [MachineSpec(kernel, memory, append=f"mm={name}") for name in PRESETS]
    assert findings(specs, pool, thorough=True) == {}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_made_of_its_document_s_parts(
    kernel: KernelImage, pool: Pool, name: str
) -> None:
    with booted(kernel, pool, append=f"mm={name}") as session:
        assert f"mm: {PRESETS[name]}\n" in session.boot_log.replace("\r", "")


def test_without_a_word_it_is_the_first_preset(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool) as session:
        assert f"mm: {PRESETS['helios']}\n" in session.boot_log.replace("\r", "")


@pytest.mark.parametrize(
    ("append", "chosen"),
    [
        ("mm=oct frames=pair", "early=memblock frames=pair heap=subblock"),
        ("heap=malloc mm=ferrite", "early=memblock frames=pair heap=malloc"),
        ("mm=oct mm=helios", PRESETS["helios"]),
        ("frames=pmm frames=pair", "early=bootmem frames=pair heap=kmalloc"),
    ],
)
def test_a_part_takes_the_place_of_the_preset_s_and_the_last_word_counts(
    kernel: KernelImage, pool: Pool, append: str, chosen: str
) -> None:
    with booted(kernel, pool, append=append) as session:
        assert f"mm: {chosen}\n" in session.boot_log.replace("\r", "")


@pytest.mark.parametrize("name", ["", "linux", "helios2", "h", "x" * 200])
def test_an_unknown_preset_panics_with_those_that_there_are(
    kernel: KernelImage, pool: Pool, name: str
) -> None:
    message = last_words(kernel, pool, f"mm={name}")
    assert message == f"no memory manager '{name}': there are {', '.join(PRESETS)}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["", "linux", "x" * 200])
def test_an_unknown_part_panics_with_those_that_there_are(
    kernel: KernelImage, pool: Pool, kind: str, name: str
) -> None:
    message = last_words(kernel, pool, f"mm=helios {kind}={name}")
    listed = ", ".join(parts(kernel, pool, kind))
    assert message == f"no {KINDS[kind]} '{name}': there are {listed}"


def test_an_unknown_preset_is_refused_even_if_every_part_is_named(
    kernel: KernelImage, pool: Pool
) -> None:
    message = last_words(kernel, pool, f"mm=linux {PRESETS['oct']}")
    assert message.startswith("no memory manager 'linux'")
