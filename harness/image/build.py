"""Build a kernel as its description says: out of tree, a folder for each configuration."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from harness.image.cache import cache_directory
from harness.image.description import Description
from harness.image.elf import load_kernel
from harness.image.errors import BuildError, DescriptionError
from harness.image.kernel_image import KernelImage
from harness.image.schema.running import Build

__all__ = ["BuildError", "build", "build_directory", "default_build_root"]

DEADLINE = 600
"""Seconds that a build, or waiting for another process that builds the same, may take."""
_TAIL = 20
"""Lines of output that an error quotes."""


def build(
    description: Description,
    variables: Mapping[str, str] | None = None,
    build_root: Path | None = None,
) -> KernelImage:
    """Build the kernel with ``variables`` set and return its image.

    Without a command the image is taken as it is. Others who build the same configuration at the
    same time wait.

    Raise :class:`DescriptionError` when the description or a variable does not allow it,
    :class:`BuildError` when the tools fail, ``ImageError`` when what they leave cannot be booted.
    """
    chosen = dict(variables or {})
    recipe, source = _recipe(description, chosen)
    if not recipe.command:
        return load_kernel(source / recipe.image, description)
    directory = build_directory(description, chosen, build_root)
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{directory}.lock", timeout=DEADLINE):
            _run(expand_command(recipe, source, directory, chosen), source)
            image = _image(directory / recipe.image, description)
            return replace(image, variables=tuple(sorted(chosen.items())))
    except Timeout:
        raise BuildError(
            f"another process has been building in {directory} for {DEADLINE} s"
        ) from None


def _recipe(description: Description, variables: Mapping[str, str]) -> tuple[Build, Path]:
    """Return how and where to build; raise :class:`DescriptionError` when that is not said."""
    where = description.path or "this kernel"
    if description.build is None or description.source is None:
        raise DescriptionError(f"{where}: has no [build] table; name a built ELF instead")
    for name in variables:
        if name not in description.build.variables:
            known = ", ".join(description.build.variables) or "none"
            raise DescriptionError(
                f"{where}: {name} is not among the build variables that may be set ({known})"
            )
    return description.build, description.source


def default_build_root() -> Path:
    """Return ``build/`` of the source tree, or a folder of the user's cache when installed."""
    tree = Path(__file__).resolve().parents[2]
    return tree / "build" if (tree / "pyproject.toml").exists() else cache_directory() / "build"


def build_directory(
    description: Description, variables: Mapping[str, str], build_root: Path | None = None
) -> Path:
    """Return the folder that belongs to one description with one choice of variables."""
    identity = json.dumps([str(description.path), sorted(variables.items())])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    name = re.sub(r"[^\w.-]", "_", description.name) or "kernel"
    return (build_root or default_build_root()).resolve() / f"{name}-{digest}"


def expand_command(
    recipe: Build, source: Path, directory: Path, variables: Mapping[str, str]
) -> list[str]:
    """Return the arguments of the build command; ``{variables}`` becomes ``NAME=VALUE`` each."""
    arguments: list[str] = []
    for argument in recipe.command:
        if argument == "{variables}":
            arguments += [f"{name}={value}" for name, value in sorted(variables.items())]
        else:
            arguments.append(
                argument.replace("{source}", str(source)).replace("{build}", str(directory))
            )
    return arguments


def _run(command: list[str], source: Path) -> None:
    if not command or shutil.which(command[0]) is None:
        program = command[0] if command else "the build command"
        raise BuildError(f"{program} is not installed; 'harness doctor' says how to get it")
    try:
        process = subprocess.run(
            command,
            cwd=source,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"took more than {DEADLINE} s: {shlex.join(command)}") from None
    if process.returncode:
        output = process.stdout.decode("utf-8", "replace")
        raise BuildError(_explain(command, process.returncode, output))


def _environment() -> dict[str, str]:
    """Return the environment of the build: messages in English, make on all cores.

    What a make around us told its children is not meant for this one.
    """
    inherited = {k: v for k, v in os.environ.items() if k not in ("MFLAGS", "MAKELEVEL")}
    jobs = len(os.sched_getaffinity(0))
    return inherited | {
        "LC_ALL": "C",
        "MAKEFLAGS": f"-j{jobs} --output-sync=target --no-print-directory",
    }


def _explain(command: list[str], status: int, output: str) -> str:
    """Return a message with the reason if it is plain, the command, and the end of its output."""
    missing = re.search(r"(?:^|[:\s])([\w.+-]+): (?:command )?not found$", output, re.MULTILINE)
    missing = missing or re.search(r"make: ([\w.+-]+): No such file or directory", output)
    reason = f"{missing[1]} is not installed" if missing else f"exit status {status}"
    tail = "\n".join(f"  {line}" for line in output.splitlines()[-_TAIL:])
    return f"the build failed: {reason}\n  {shlex.join(command)}\n{tail}"


def _image(path: Path, description: Description) -> KernelImage:
    if not path.is_file():
        raise BuildError(f"the build left no {path.name} in {path.parent}")
    return load_kernel(path, description)
