"""Whatever ends first, ``harness gdb`` leaves no process and no terminal in disorder."""

from __future__ import annotations

import os
import select
import signal

import pexpect
import pytest

from tests.cli.conftest import HARNESS
from tests.debug.person import children, person

pytestmark = pytest.mark.slow

SECONDS = 10


def wait_for_ends(processes: dict[str, int], act: object) -> None:
    """Do something, and wait until every process has ended."""
    descriptors = [os.pidfd_open(pid) for pid in processes.values()]
    try:
        act()  # type: ignore[operator]
        for descriptor in descriptors:
            assert select.select([descriptor], [], [], SECONDS)[0], "it still runs"
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


@pytest.mark.parametrize(
    ("number", "running"),
    [
        (signal.SIGKILL, False),
        (signal.SIGKILL, True),
        (signal.SIGTERM, True),
        (signal.SIGHUP, False),
    ],
)
def test_the_harness_takes_gdb_and_qemu_along(number: int, running: bool) -> None:
    with person("--memory", "16M") as one:
        one.begin()
        processes = one.processes()
        assert set(processes) == {"gdb", "qemu-system-i38"}
        if running:
            one.run()
        wait_for_ends(processes, lambda: os.kill(one.child.pid, number))


def test_gdb_ends_with_the_harness_where_a_shell_keeps_the_terminal() -> None:
    command = f"{HARNESS} gdb --memory 16M -- -nx; echo the shell goes on; cat"
    shell = pexpect.spawn("/bin/sh", ["-c", command], encoding="utf-8", timeout=SECONDS * 3)
    try:
        shell.expect_exact("(gdb) ")
        [harness] = children(shell.pid)
        processes = {str(pid): pid for pid in children(harness)}
        assert len(processes) == 2
        wait_for_ends(processes, lambda: os.kill(harness, signal.SIGKILL))
        shell.expect_exact("the shell goes on")
    finally:
        shell.close(force=True)


def test_gdb_takes_qemu_along() -> None:
    with person("--memory", "16M") as one:
        one.begin()
        processes = one.processes()
        one.run()
        wait_for_ends(processes, lambda: os.kill(processes["gdb"], signal.SIGKILL))
        one.child.expect(pexpect.EOF)
        assert "harness: gdb was ended by SIGKILL" in str(one.child.before)
        one.child.close()
        assert one.child.exitstatus == 3


def test_qemu_s_end_leaves_gdb_to_reboot() -> None:
    with person("--memory", "16M") as one:
        one.begin()
        qemu = {"qemu": one.processes()["qemu-system-i38"]}
        wait_for_ends(qemu, lambda: os.kill(qemu["qemu"], signal.SIGKILL))
        assert "QEMU has ended: 'mm reboot' starts a new machine" in one.ask("mm check")
        assert "kernel_main (" in one.ask("mm reboot")
        assert "physical 0x0010" in one.ask("mm walk kernel_main")


def test_a_harness_that_has_gone_is_told_in_a_sentence() -> None:
    with person("--memory", "16M") as one:
        one.begin()
        one.ask("python import os; os.environ['MM_HARNESS_SOCKET'] = '/nonexistent'")
        said = one.ask("mm check")
        assert "The harness process has gone" in said
        assert "Traceback" not in said
