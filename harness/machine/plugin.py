"""Plugins for QEMU's TCG: C sources of ours, each compiled once on this host and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path

from harness.image.cache import cache_directory
from harness.machine.cache_folder import kept_in
from harness.machine.errors import ToolMissing
from harness.machine.process import QEMU, require

COMPILERS = ("cc", "gcc", "clang")
COMPILE_SECONDS = 60
HELP_SECONDS = 10


def compiled(package: str | None, file: str) -> Path:
    """Return the plugin of a C file in a package of ours, compiled now or kept from before.

    Raise :class:`ToolMissing` without a compiler that can do it, and :class:`MachineError` where
    nothing can be kept.
    """
    source = resources.files(package or "").joinpath(file).read_bytes()
    digest = hashlib.sha256(source).hexdigest()[:16]
    path = cache_directory() / "plugins" / f"{Path(file).stem}-{os.uname().machine}-{digest}.so"
    if not path.exists():
        with kept_in(path.parent):
            _compile(file, source, path)
    return path


def _compile(name: str, source: bytes, path: Path) -> None:
    compiler = next((found for one in COMPILERS if (found := shutil.which(one))), None)
    if compiler is None:
        raise ToolMissing(f"no C compiler for QEMU's plugin {name!r}: apt-get install gcc")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        process = subprocess.run(
            [compiler, "-x", "c", "-shared", "-fPIC", "-O2", "-o", str(made), "-"],
            input=source,
            capture_output=True,
            timeout=COMPILE_SECONDS,
            check=False,
        )
        if process.returncode:
            said = process.stderr.decode("utf-8", "replace").strip()
            raise ToolMissing(f"{compiler} cannot compile QEMU's plugin {name!r}: {said}")
        made.replace(path)


def plugin_arguments(plugin: Path, **arguments: str) -> tuple[str, ...]:
    """Return QEMU's arguments that load a plugin with arguments of its own."""
    words = [f"{name}={value}" for name, value in arguments.items()]
    return "-plugin", ",".join([str(plugin).replace(",", ",,"), *words])


@cache
def why_no_plugins() -> str | None:
    """Return why QEMU here takes no plugins; None when it does."""
    try:
        answer = subprocess.run(
            [require(QEMU), "-plugin", "help"],
            capture_output=True,
            text=True,
            timeout=HELP_SECONDS,
            check=False,
        )
    except (ToolMissing, OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    # A QEMU with plugins looks for one that is called help.
    return None if "help" in answer.stderr else "this QEMU was built without plugins"
