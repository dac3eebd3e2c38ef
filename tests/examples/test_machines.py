"""The example kernels are sound, on real maps and by all boot paths; and told when they are not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.check.inspect import inspect_guest
from harness.image.build import build
from harness.image.description import load_description
from harness.image.kernel_image import KernelImage
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HARNESS = Path(sys.executable).with_name("harness")
MIB = 1 << 20
PAGE = 4096
ODD_MAPS = (
    "--map=raw24-64M-odd-edc00",
    "--map=xen-pv-ganeti-136M",
    "--map=gce-type12-two-islands",
    "--map=xen-server-4.12-islands",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("pae", [*ODD_MAPS, "--memory", "16M", "--cpu", "max"]),
        ("pae", ["--memory", "64M", "--boot", "all", "--thorough"]),
        ("frame-stack", ["--memory", "4M", "--boot", "all"]),
    ],
)
def test_machines_without_findings(name: str, arguments: list[str]) -> None:
    command = [HARNESS, "run", "--kernel", EXAMPLES / name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def ready(name: str) -> Iterator[Guest]:
    """Yield a paused guest whose kernel is ready."""
    kernel = build(load_description(EXAMPLES / name / "harness.toml"))
    with Machine(MachineSpec(kernel, 8 * MIB)) as machine, machine.boot() as guest:
        assert guest.run_until_ready().alive
        guest.pause()
        yield guest


@pytest.fixture
def pae() -> Iterator[Guest]:
    yield from ready("pae")


@pytest.fixture
def stack() -> Iterator[Guest]:
    yield from ready("frame-stack")


def found(guest: Guest) -> dict[str, str]:
    """Return what is wrong, by kind: the last message of each."""
    return {one.kind: one.message for one in inspect_guest(guest).violations}


def physical(kernel: KernelImage, symbol: str) -> int:
    """Return where a variable of a kernel in the higher half lies."""
    return kernel.symbol(symbol) % 0xC0000000


def word(guest: Guest, address: int) -> int:
    return int.from_bytes(guest.ram.read(address, 4), "little")


def poke(guest: Guest, address: int, value: int) -> None:
    guest.ram.write(address, value.to_bytes(4, "little"))


def test_a_bit_that_says_free_of_a_page_table(pae: Guest) -> None:
    """1 is free, and bit 0 is the frame at 1 MiB."""
    table = int(inspect_guest(pae).state.page_tables.tables[1]) // PAGE - 0x100
    bits = physical(pae.kernel, "free_bits") + table // 32 * 4
    poke(pae, bits, word(pae, bits) | 1 << table % 32)
    kinds = found(pae)
    assert "free and page table" in kinds["frames.two-owners"]
    assert "bitmap.counter" in kinds


def test_a_bit_that_says_free_of_the_image(pae: Guest) -> None:
    bits = physical(pae.kernel, "free_bits")
    poke(pae, bits, word(pae, bits) | 1)
    assert "belongs to the kernel's image" in found(pae)["frames.free-reserved"]


def test_a_record_that_forgets_its_owner(pae: Guest) -> None:
    """The last frame, which was free, is neither that nor anybody's."""
    last = 8 * MIB // PAGE - 1 - 0x100
    bits = physical(pae.kernel, "free_bits") + last // 32 * 4
    poke(pae, bits, word(pae, bits) & ~(1 << last % 32))
    count = physical(pae.kernel, "free_frame_count")
    poke(pae, count, word(pae, count) - 1)
    assert found(pae).keys() == {"frames.leaked"}


@pytest.mark.parametrize(
    ("member", "value", "kind"),
    [
        ("magic", 0, "header-chain.magic"),
        ("size", 0x7FFF0000, "header-chain.beyond"),
        ("next", 0xDEAD0, "decode.heap"),
        ("previous", 8, "header-chain.previous"),
    ],
)
def test_a_header_that_was_written_over(pae: Guest, member: str, value: int, kind: str) -> None:
    """The second of three blocks: what is wrong is said of the heap, and of its address."""
    pae.resume()
    _, second, _ = (pae.monitor.malloc(size=16) for _ in range(3))
    pae.pause()
    assert inspect_guest(pae).violations == ()
    header = pae.kernel.types.lookup("struct block")
    address = second - header.size + header.member(member).offset
    where = pae.translate(address)
    assert where is not None
    poke(pae, where, value)
    assert f"0x{second - header.size:x}" in found(pae)[kind]


def test_a_stack_that_leads_back_into_itself(stack: Guest) -> None:
    head = word(stack, stack.kernel.symbol("free_frames"))
    poke(stack, word(stack, head), head)
    message = found(stack)["decode.free-frames"]
    assert "the list leads back into itself" in message
    assert f"0x{head:x}" in message


def test_a_stack_that_leads_nowhere(stack: Guest) -> None:
    head = word(stack, stack.kernel.symbol("free_frames"))
    poke(stack, head, 0xDEAD000)
    message = found(stack)["decode.free-frames"]
    assert "the list leads to no node" in message
    assert f"0x{head:x} -> 0xdead000" in message


def test_a_page_that_an_identity_map_of_everything_lacks(stack: Guest) -> None:
    """The last 4 MiB: nobody looks there, and no RAM is there."""
    poke(stack, inspect_guest(stack).state.page_tables.root + 1023 * 4, 0)
    message = found(stack)["paging.missing"]
    assert "1024 pages at virtual 0xffc00000-0xffffffff are not mapped" in message
