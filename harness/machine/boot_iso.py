"""GRUB on a CD image: the whole way that a real PC takes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from harness.image.cache import cache_directory, keep_last_used, last_use, note_use
from harness.machine.boot_direct import borders, given_map
from harness.machine.cache_folder import kept_in
from harness.machine.compose import command_line
from harness.machine.errors import MachineError, ToolMissing
from harness.machine.grub import quoted_line
from harness.machine.guest_memory import GuestMemory
from harness.machine.process import require
from harness.machine.qemu import DISPLAY, Extra
from harness.machine.scratch import scratch_folder
from harness.machine.signals import stops_wait
from harness.machine.spec import MachineSpec
from harness.machine.vm import Vm

TEMPLATE = "grub.cfg.in"
PLAIN_TEMPLATE = """\
set timeout=0
@CUTMEM@
menuentry "kernel" {
    multiboot /boot/kernel.elf @COMMAND_LINE@
@MODULES@
    boot
}
"""
"""For a kernel that brings none."""

TOOLS = {"grub-mkrescue": "grub-common grub-pc-bin", "xorriso": "xorriso", "mformat": "mtools"}
KEPT_IMAGES = 32
"""Each takes about 5 MiB."""
UNFINISHED = "making-"
"""Begins the names of the folders in which images are made."""
MKRESCUE_TIMEOUT = 60.0
"""Seconds; it takes less than one."""


def start_vm(spec: MachineSpec, extra: Extra | None = None) -> Vm:
    """Start QEMU with the CD, paused at the firmware's first instruction."""
    extra = extra or Extra()
    image = build_iso(spec)
    drive = f"file={str(image).replace(',', ',,')},if=ide,media=cdrom,format=raw,readonly=on"
    memory = GuestMemory(spec.memory)
    memory.renew(spec.fill, borders(spec, given_map(spec)))
    arguments = [*DISPLAY, "-drive", drive, "-boot", "d", *extra.given(memory.descriptor)]
    return Vm(spec, memory, arguments, extra.descriptors)


def build_iso(spec: MachineSpec) -> Path:
    """Return the CD image for ``spec``, built now or kept from before."""
    configuration = grub_configuration(spec)
    path = cache_directory() / "iso" / f"{_digest(spec, configuration)}.iso"
    if not note_use(path):
        with kept_in(path.parent), scratch_folder(path.parent, UNFINISHED) as folder:
            made = _make(spec, configuration, folder)
            made.replace(path)  # in one step: another process never sees half of it
        _prune(path.parent)
    return path


def _prune(folder: Path) -> None:
    """Keep the images that were used last, and no leftovers."""
    keep_last_used(folder, "*.iso", KEPT_IMAGES)
    for unfinished in folder.glob(f"{UNFINISHED}*"):  # of somebody who was killed meanwhile
        if time.time() - last_use(unfinished) > 2 * MKRESCUE_TIMEOUT:
            shutil.rmtree(unfinished, ignore_errors=True)


def grub_configuration(spec: MachineSpec) -> str:
    """Return GRUB's configuration, from the template beside the kernel's description."""
    cut = [f"cutmem 0x{part.start:x} 0x{part.stop:x}" for part in spec.cutmem]
    modules = [
        f"    module /boot/module{index} {quoted_line(module.string)}".rstrip()
        for index, module in enumerate(spec.modules)
    ]
    values = {
        "@COMMAND_LINE@": quoted_line(command_line(spec)),
        "@CUTMEM@": "\n".join(cut),
        "@MODULES@": "\n".join(modules),
    }
    # In one go: a value may hold another's name.
    return re.sub("|".join(values), lambda name: values[name[0]], _template(spec))


def _template(spec: MachineSpec) -> str:
    source = spec.kernel.description.source
    if source is not None:
        for folder in (source / "iso", source.parent / "iso"):
            if (folder / TEMPLATE).is_file():
                return (folder / TEMPLATE).read_text()
    return PLAIN_TEMPLATE


def _digest(spec: MachineSpec, configuration: str) -> str:
    digest = hashlib.sha256(configuration.encode())
    for part in (spec.kernel.contents, *(module.data for module in spec.modules)):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:32]


def _make(spec: MachineSpec, configuration: str, folder: Path) -> Path:
    """Build the image in ``folder``; raise :class:`MachineError` with what the tool said."""
    for tool, packages in TOOLS.items():
        if shutil.which(tool) is None:
            raise ToolMissing(f"{tool} is not installed: apt-get install {packages}")
    tree = folder / "tree"
    (tree / "boot" / "grub").mkdir(parents=True)
    (tree / "boot" / "grub" / "grub.cfg").write_text(configuration)
    (tree / "boot" / "kernel.elf").write_bytes(spec.kernel.contents)
    for index, module in enumerate(spec.modules):
        (tree / "boot" / f"module{index}").write_bytes(module.data)
    made = folder / "made.iso"
    command = ["grub-mkrescue", "--modules=multiboot", "-o", str(made), str(tree)]
    status, said = _run(command, {"TMPDIR": str(folder), "SOURCE_DATE_EPOCH": "0"})
    if status or not made.exists():
        raise MachineError(f"{' '.join(command)} failed:\n{said[-2000:]}")
    return made


def _run(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run a command that has children of its own; all have ended when this returns or raises."""
    process: subprocess.Popen[str] | None = None
    try:
        with stops_wait():  # or it would run while nobody knows of it
            process = _start(command, environment)
        said, _ = process.communicate(timeout=MKRESCUE_TIMEOUT)
    except BaseException as error:
        if process is not None:
            _end(process)
        if isinstance(error, subprocess.TimeoutExpired):
            raise MachineError(f"{' '.join(command)} took over {MKRESCUE_TIMEOUT:g} s") from None
        raise
    return process.returncode, said


def _start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, which ends with us."""
    return subprocess.Popen(
        [require("setpriv"), "--pdeathsig", "KILL", "--", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **environment},
        process_group=0,
    )


def _end(process: subprocess.Popen[str]) -> None:
    """End a command and its children, to the last that could write a file."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
