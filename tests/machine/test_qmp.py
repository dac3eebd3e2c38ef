"""Control of a real QEMU: errors, order, and its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.machine.boot_direct import start_vm
from harness.machine.errors import QemuFailed
from harness.machine.spec import MachineSpec
from harness.machine.vm import Vm
from tests.machine import kernels


@pytest.fixture
def vm(tmp_path: Path) -> Iterator[Vm]:
    """Give a machine that was started and is paused at its first instruction."""
    machine = start_vm(MachineSpec(kernels.assemble(tmp_path, kernels.READY), 16 << 20))
    yield machine
    machine.close()


def test_a_refused_command_is_an_error_and_the_session_goes_on(vm: Vm) -> None:
    with pytest.raises(QemuFailed, match="no-such-command"):
        vm.qmp.execute("no-such-command")
    assert vm.qmp.execute("query-status")["running"] is False


def test_an_error_of_a_posted_command_is_not_lost(vm: Vm) -> None:
    vm.qmp.post("set-action", reboot="dance")
    vm.qmp.post("query-status")
    with pytest.raises(QemuFailed, match=r"set-action: .*dance"):
        vm.qmp.finish()
    assert vm.qmp.execute("query-name") == {}
    vm.qmp.post("set-action", unless="dance", reboot="dance")
    assert vm.qmp.execute("query-status")["status"] == "prelaunch"


def test_events_are_kept_in_order(vm: Vm) -> None:
    vm.qmp.post("cont")
    vm.qmp.post("stop")
    vm.qmp.finish()
    assert [event["event"] for event in vm.qmp.take_events()] == ["RESUME", "STOP"]
    assert vm.qmp.take_events() == []


def test_a_long_answer_comes_whole(vm: Vm) -> None:
    shown = vm.qmp.human("xp /200000xb 0x100000")
    assert shown.count("0x") == 200000
    assert shown.splitlines()[-1].startswith("0000000000130d38:")


def test_a_killed_qemu_is_an_error(vm: Vm) -> None:
    os.kill(vm.process.pid, signal.SIGKILL)
    with pytest.raises(QemuFailed, match="QEMU"):
        vm.qmp.execute("query-status")
