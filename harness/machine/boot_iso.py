"""GRUB on a CD image: the whole way that a real PC takes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.image.cache import cache_directory
from harness.machine.boot_direct import borders, given_map
from harness.machine.errors import MachineError, ToolMissing
from harness.machine.guest_memory import GuestMemory
from harness.machine.qemu import DISPLAY
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
MKRESCUE_TIMEOUT = 60.0
"""Seconds; it takes less than one."""


def start_vm(spec: MachineSpec) -> Vm:
    """Start QEMU with the CD, paused at the firmware's first instruction."""
    image = build_iso(spec)
    drive = f"file={str(image).replace(',', ',,')},if=ide,media=cdrom,format=raw,readonly=on"
    memory = GuestMemory(spec.memory)
    memory.renew(spec.fill, borders(spec, given_map(spec)))
    return Vm(spec, memory, [*DISPLAY, "-drive", drive, "-boot", "d"])


def build_iso(spec: MachineSpec) -> Path:
    """Return the CD image for ``spec``, built now or kept from before."""
    configuration = grub_configuration(spec)
    path = cache_directory() / "iso" / f"{_digest(spec, configuration)}.iso"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            made = _make(spec, configuration, Path(folder))
            made.replace(path)  # in one step: another process never sees half of it
        _prune(path.parent)
    path.touch()  # used last
    return path


def _prune(folder: Path) -> None:
    """Keep the images that were used last."""
    images = sorted(folder.glob("*.iso"), key=lambda image: image.stat().st_mtime, reverse=True)
    for image in images[KEPT_IMAGES:]:
        image.unlink(missing_ok=True)


def grub_configuration(spec: MachineSpec) -> str:
    """Return GRUB's configuration, from the template beside the kernel's description."""
    cut = [f"cutmem 0x{part.start:x} 0x{part.stop:x}" for part in spec.cutmem]
    modules = [
        f"    module /boot/module{index} {_quoted(module.string)}".rstrip()
        for index, module in enumerate(spec.modules)
    ]
    text = _template(spec)
    text = text.replace("@COMMAND_LINE@", " ".join(_quoted(w) for w in spec.append.split()))
    return text.replace("@CUTMEM@", "\n".join(cut)).replace("@MODULES@", "\n".join(modules))


def _quoted(word: str) -> str:
    """Return ``word`` as GRUB's shell takes it literally (GRUB manual, section 6.1)."""
    return "'" + word.replace("'", "'\\''") + "'" if word else ""


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
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=MKRESCUE_TIMEOUT,
        env={**os.environ, "TMPDIR": str(folder), "SOURCE_DATE_EPOCH": "0"},
    )
    if result.returncode or not made.exists():
        raise MachineError(f"{' '.join(command)} failed:\n{result.stderr[-2000:]}")
    return made
