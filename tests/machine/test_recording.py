"""A boot that is recorded, replayed in another process, and kept in a file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.errors import SpecError
from harness.machine.recording import Recorder, Recording, replay, run_to
from harness.machine.recording_file import is_recording, load_recording, save_recording
from harness.machine.spec import BootPath, MachineSpec, Module

LINE = "a line that is longer than any receive buffer of a UART, which has sixteen bytes"


@pytest.fixture(scope="module")
def recorded(kernel: KernelImage) -> tuple[Recording, str, bytes]:
    """A boot with input, what it printed, and its RAM at the end."""
    spec = MachineSpec(kernel, 16 << 20, modules=(Module(b"data", "kept"),))
    with Recorder(spec) as recorder:
        guest = recorder.guest
        guest.run_until_ready()
        guest.monitor.require("alloc 2")
        guest.monitor.command(LINE)
        guest.pause()
        text, ram = guest.console.log.text(), guest.ram.read(0, 16 << 20)
        return recorder.finish(), text, ram


Recorded = tuple[Recording, str, bytes]


def test_a_replay_does_the_same_to_the_last_byte(recorded: Recorded) -> None:
    recording, text, ram = recorded
    assert LINE in text
    with replay(recording) as guest:
        assert guest.executed() == 0
        run_to(guest, recording.length)
        assert guest.executed() == recording.length
        assert guest.console.log.text() == text
        assert guest.ram.read(0, 16 << 20) == ram


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_it_stops_at_any_instruction(recorded: Recorded, share: float) -> None:
    recording, text, _ = recorded
    count = int(recording.length * share)
    with replay(recording) as guest:
        run_to(guest, count)
        assert guest.executed() == count
        assert text.startswith(guest.console.log.text())


def test_a_file_holds_all_that_a_replay_needs(recorded: Recorded, tmp_path: Path) -> None:
    recording, text, _ = recorded
    path = tmp_path / "one.rec"
    save_recording(path, recording)
    assert [found.name for found in tmp_path.iterdir()] == ["one.rec"]
    assert is_recording(path)
    loaded = load_recording(path)
    assert loaded.length == recording.length
    assert loaded.spec.modules == recording.spec.modules
    assert loaded.spec.kernel.build_id == recording.spec.kernel.build_id
    with replay(loaded) as guest:
        run_to(guest, loaded.length)
        assert guest.console.log.text() == text


@pytest.mark.parametrize("damage", ["half", "text", "empty", "no log", "other format"])
def test_a_damaged_file_is_a_sentence(recorded: Recorded, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "one.rec"
    save_recording(path, recorded[0])
    if damage == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "text":
        path.write_text("no archive")
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        if damage == "no log":
            del members["log"]
        else:
            members["machine.json"] = members["machine.json"].replace(
                b'"format": 1', b'"format": 9'
            )
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    with pytest.raises(SpecError, match=str(path)):
        load_recording(path)


@pytest.mark.parametrize("boot", [BootPath.MULTIBOOT, BootPath.ISO])
def test_a_boot_through_firmware_is_refused(kernel: KernelImage, boot: BootPath) -> None:
    with pytest.raises(SpecError, match="cannot be recorded: take --boot direct"):
        Recorder(MachineSpec(kernel, 16 << 20, boot=boot))
