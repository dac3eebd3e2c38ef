"""``harness gdb`` as a person uses it: at a terminal, typing, with Ctrl-C and the Tab key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.check.observation import Observation
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.report.views.registry import VIEWS, answer
from tests.cli.conftest import Run
from tests.debug.person import PLAIN, Person, person

pytestmark = pytest.mark.slow

MEMORY = 16 << 20


@pytest.fixture(scope="module")
def early() -> Iterator[Person]:
    """gdb where the early allocator hands over, which is a moment of the description."""
    with person("--memory", "16M", "--break", "early_hand_over") as one:
        one.begin()
        yield one


@pytest.fixture(scope="module")
def anywhere() -> Iterator[Person]:
    """gdb on a machine that the tests reboot."""
    with person("--memory", "16M") as one:
        one.begin()
        yield one


@pytest.fixture
def at_prompt(anywhere: Person) -> Person:
    """gdb where the kernel's monitor begins in a new machine, with everything built."""
    anywhere.ask("with confirm off -- delete")
    anywhere.ask(
        "mm reboot --map '0-9fc00 usable, 100000-1000000 usable' --memory 16M --append '' "
        "--cpu qemu32"
    )
    anywhere.ask("tbreak monitor_run")
    assert "Temporary breakpoint" in anywhere.ask("continue")
    return anywhere


LINES = (
    *("map", "tables", "tables --each-level", "tables --sort physical --filter w"),
    *("walk kernel_main", "walk 0x5", "who &mem_map", "who -p 0x98000", "who $esp"),
    *("frames", "frames 0x90000-0xa0000 --each", "free", "heap", "slabs", "check"),
)


@pytest.fixture(scope="module")
def expected(kernel: KernelImage, pool: Pool) -> dict[str, str]:
    """What the views say of the same guest without gdb."""
    with pool.boot(MachineSpec(kernel, MEMORY)) as guest:
        guest.stop_before("early_hand_over")
        seen = Observation(guest, "early")
        return {line: answer(seen, *_split(line)).text for line in LINES}


def _split(line: str) -> tuple[str, list[str]]:
    name, *arguments = line.split()
    return name, arguments


@pytest.mark.parametrize("line", LINES)
def test_gdb_says_what_the_decoders_say(early: Person, expected: dict[str, str], line: str) -> None:
    said = early.ask(f"mm {line}")
    assert said == expected[line]


def test_inspect_says_the_same(harness: Run, early: Person) -> None:
    done = harness("inspect", "--memory", "16M", "--moment", "early", "who", "&mem_map")
    assert done.returncode == 0, done.stderr
    assert early.ask("mm who &mem_map") == done.stdout.rstrip("\n")


def test_it_stops_at_the_first_c_function(kernel: KernelImage) -> None:
    with person("--memory", "16M") as one:
        assert re.search(r"kernel_main \(magic=732803074, .*\) at .*main\.c:\d+", one.begin())
        assert one.ask("print/x $eip") == f"$1 = {kernel.symbol('kernel_main'):#x}"
        # What gdb alone knows, a parameter, is an address too.
        address = int(one.ask("output/x information"), 16)
        assert one.ask("mm walk information").startswith(f"virtual {address:#010x} by")
        assert one.ask("mm walk $esp").startswith(f"virtual {int(one.ask('output/x $esp'), 16):#x}")


def test_asking_and_rebooting_leave_nothing_open(anywhere: Person) -> None:
    def descriptors() -> int:
        anywhere.ask("mm reboot")
        for _ in range(3):
            anywhere.ask("mm walk $esp")
        return len(list(Path(f"/proc/{anywhere.child.pid}/fd").iterdir()))

    assert descriptors() == descriptors() == descriptors()


def test_every_view_and_command_has_its_help(early: Person) -> None:
    listed = early.ask("help mm")
    for name in (*VIEWS, "mark", "reboot", "console", "type"):
        assert f"mm {name} -- " in listed
    told = early.ask("help mm walk")
    assert told.startswith("Translate a virtual address")
    assert "usage: mm walk ADDRESS" in told


def test_the_tab_key(early: Person) -> None:
    early.child.send("mm wal\tkernel_mai\t\n")
    assert "virtual 0xc01" in early._answer()
    early.ask("mm mark before-lunch")
    early.child.send("mm diff bef\t\n")
    assert early._answer().endswith("nothing has changed")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mm walk", "required: ADDRESS; usage: walk ADDRESS"),
        ("mm walk nonsuch", "no 'nonsuch'"),
        ("mm walk 'x", "No closing quotation"),
        ("mm diff nonsuch", "no mark 'nonsuch'"),
        ("mm mark", "usage: mm mark NAME"),
        ("mm reboot --memroy 1M", "No such option '--memroy'"),
        ("mm reboot --memory 1M,2M", "these flags mean 2 machines"),
        ("mm nonsuch", 'Undefined mm command: "nonsuch"'),
    ],
)
def test_a_mistake_is_told_in_a_sentence(early: Person, line: str, words: str) -> None:
    said = early.ask(line)
    assert words in said
    assert "Traceback" not in said


def test_diff_is_since_the_last_stop_or_a_mark(at_prompt: Person) -> None:
    at_prompt.ask("mm mark ready")
    at_prompt.ask("mm type #1 kmalloc 5000")
    at_prompt.ask("tbreak kmalloc")
    at_prompt.ask("continue")
    assert at_prompt.ask("mm diff ready") == "nothing has changed"
    at_prompt.ask("finish")
    said = at_prompt.ask("mm diff")
    assert re.search("^heap kmalloc: .* 5000, before 0$", said, re.MULTILINE)
    assert said == at_prompt.ask("mm diff ready")


def test_corruption_is_seen_by_mm_check(at_prompt: Person) -> None:
    assert at_prompt.ask("mm check").endswith("no violations")
    at_prompt.ask("set var zones[0].free_frames += 7")
    assert "free-lists.frames-counter" in at_prompt.ask("mm check")
    assert "the kernel counts" in at_prompt.ask("mm free")


def test_ctrl_c_interrupts_the_guest_and_not_the_session(at_prompt: Person) -> None:
    at_prompt.run()
    assert "SIGINT" in at_prompt.interrupt()
    at_prompt.ask("mm type #7 nonsense")
    at_prompt.run()
    assert "SIGINT" in at_prompt.interrupt()
    assert at_prompt.ask("mm check").endswith("no violations")


def test_the_console_is_shown_at_each_stop_and_typed_to(at_prompt: Person) -> None:
    at_prompt.ask("mm type #7 zone all")
    at_prompt.ask("tbreak kmalloc")
    at_prompt.ask("mm type #8 kmalloc 100")
    said = at_prompt.ask("continue")
    assert re.search(r"^\| #7 ok zone=all", said, re.MULTILINE)
    assert at_prompt.ask("mm console") == ""


def test_mm_reboot_attaches_to_another_machine_and_keeps_breakpoints(at_prompt: Person) -> None:
    at_prompt.ask("break early_hand_over")
    before = at_prompt.processes()["qemu-system-i38"]
    said = at_prompt.ask("mm reboot --map isa-hole-ali-192M --memory 64M")
    assert "kernel_main (" in said
    assert at_prompt.processes()["qemu-system-i38"] != before
    assert "0x000000f00000-0x000001000000     1.0 MiB  reserved" in at_prompt.ask("mm map")
    assert re.search(r"Breakpoint \d+, early_hand_over", at_prompt.ask("continue"))
    # Flags of the last reboot are not forgotten by the next one.
    at_prompt.ask("mm reboot --append frames=pair")
    assert "0x000000f00000-0x000001000000     1.0 MiB  reserved" in at_prompt.ask("mm map")
    at_prompt.ask("tbreak monitor_run")
    at_prompt.ask("continue")
    at_prompt.ask("continue")
    assert "free lists of pair" in at_prompt.ask("mm free")


def test_a_boot_that_fails_leaves_gdb_for_the_next_one(at_prompt: Person) -> None:
    assert "QEMU knows no CPU 'nonsuch'" in at_prompt.ask("mm reboot --cpu nonsuch")
    assert "'mm reboot' boots one" in at_prompt.ask("mm check")
    assert "kernel_main (" in at_prompt.ask("mm reboot --cpu qemu32")


def test_a_guest_that_ends_is_told_and_not_resumed(at_prompt: Person) -> None:
    at_prompt.ask("mm type crash triple")
    said = at_prompt.ask("continue")
    assert "The guest has ended. triple fault: " in said
    assert "crash_triple" in said
    assert "it can be looked at" in at_prompt.ask("continue")
    assert at_prompt.ask("mm check").endswith("no violations")
    assert "kernel_main (" in at_prompt.ask("mm reboot")


def test_a_guest_that_ends_before_the_stop_can_be_looked_at() -> None:
    with person("--memory", "16M", "--break", "crash_triple", "--append", "frames=nonsuch") as one:
        said = one.begin()
        assert "The guest ended before crash_triple: panic: " in said
        assert "#0 " in one.ask("bt 1")


def test_the_kernel_s_own_types_have_words(at_prompt: Person) -> None:
    element = at_prompt.ask("print mem_map[0x98]")
    assert "= <reserved, order 255, users 1, zone dma> = {list = <on no list> = " in element
    assert "= <empty list> = {next = 0x" in at_prompt.ask("print zones[1].free_lists[0]")
    at_prompt.ask("set var zones[1].free_lists[0].next = 0x12345678")
    assert "leads nowhere after 0 links" in at_prompt.ask("print zones[1].free_lists[0]")


def test_gdb_pages_and_colours_as_it_does() -> None:
    with person("--memory", "16M", gdb=(), TERM="xterm") as one:
        one.begin()
        one.ask("set height 10")
        one.child.sendline("mm map")
        one.child.expect("--Type <RET> for more")
        one.child.sendline("q")
        one._answer()
        one.child.sendline("mm walk kernel_main")
        one.child.expect_exact("\x1b[34m0xc01")


def test_a_script_and_batch(harness: Run) -> None:
    done = harness("gdb", "--memory", "16M", "--batch", "--", "-ex", "mm walk kernel_main")
    assert done.returncode == 0, done.stderr
    assert "physical 0x0010" in done.stdout
    done = harness("gdb", "--memory", "16M", "--batch", "--", "-ex", "mm walk nonsuch")
    assert done.returncode == 1
    assert "no 'nonsuch'" in done.stderr


def test_a_person_s_gdbinit_is_read_and_a_folder_s_is_not(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".gdbinit").write_text("set auto-load safe-path /\necho mine is read\\n\n")
    here = tmp_path_factory.mktemp("here")
    (here / ".gdbinit").write_text("echo dangerous\\n\n")
    one = Person("--memory", "16M", gdb=PLAIN, HOME=str(home), cwd=str(here))
    try:
        said = one.begin()
        assert "mine is read" in said
        assert "dangerous" not in said
    finally:
        one.leave()


def test_a_function_that_there_is_not(harness: Run) -> None:
    done = harness("gdb", "--memory", "16M", "--break", "kernel_mian", "--batch")
    assert done.returncode == 2
    assert "no symbol 'kernel_mian'; nearest: kernel_main" in done.stderr


def test_quitting_is_good() -> None:
    with person("--memory", "16M") as one:
        one.begin()
        one.child.sendline("quit")
        one.child.expect_exact("(y or n)")
        one.child.sendline("y")
        assert one.status() == 0
