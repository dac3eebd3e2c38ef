"""What a failed test leaves for later: a folder with all that is known of its machine."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.check.checked_guest import CheckedGuest
from harness.fuzz.case import Case
from harness.fuzz.case_file import case_text
from harness.machine.errors import MachineError
from harness.machine.spec_json import spec_json
from harness.pytest_plugin.options import ARTIFACTS, core_limit
from harness.report.files import write_atomically
from harness.report.reproduce import command_line, program
from harness.report.units import size

LONGEST = 80
"""Characters of a test's name in a folder's."""
CASE = "case.json"
CORE = "memory.core"
CORE_LIMIT = 1 << 30
"""Bytes of guest RAM beyond which no core is left; one has only what was touched, at most all."""

_CORES = pytest.StashKey[int]()
"""Of the configuration: cores that may still be left."""


def leave_artifacts(
    item: pytest.Item, name: str, guest: CheckedGuest, report: Mapping[str, str]
) -> str:
    """Write a folder for one machine of a failed test; return where it is and what is in it."""
    files = {
        "command-line.txt": command_line(guest.spec) + "\n",
        "console.log": guest.console.log.text(),
        "report.txt": "".join(f"== {title}\n{text}\n\n" for title, text in report.items()),
        "spec.json": json.dumps(spec_json(guest.spec), indent=1) + "\n",
    }
    if (case := Case.of(guest.spec)) is not None:
        files[CASE] = case_text(case, guest.kernel)
    try:
        folder = _folder(item, name)
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            write_atomically(folder / file, text)
        # What an earlier run left must not be taken for this one's.
        for other in {CASE, CORE}.difference(files):
            (folder / other).unlink(missing_ok=True)
    except OSError as error:
        return f"could not be written: {error}"
    lines = [f"{folder}: {', '.join(files)}"]
    if CASE in files:
        lines.append(shlex.join([program(), "replay", str(folder / CASE)]))
    return "\n".join([*lines, _leave_core(item.config, guest, folder / CORE)])


def _leave_core(config: pytest.Config, guest: CheckedGuest, path: Path) -> str:
    """Save a core if there have not been enough; return how to read it, or why there is none."""
    left = config.stash.setdefault(_CORES, core_limit(config))
    if not left:
        return f"no core: --mm-cores={core_limit(config)} have been left"
    if guest.spec.memory > CORE_LIMIT:
        return f"no core: the guest has more than {size(CORE_LIMIT)} of RAM"
    try:
        guest.save_core(path)
    except (MachineError, OSError) as error:
        return f"no core: {str(error).splitlines()[0]}"
    config.stash[_CORES] = left - 1
    return shlex.join([program(), "inspect", "--core", str(path)])


def _folder(item: pytest.Item, name: str) -> Path:
    """Return the folder of one machine of a test; its name says which test, and is unique."""
    digest = hashlib.sha256(item.nodeid.encode()).hexdigest()[:8]
    test = f"{item.path.name} {item.nodeid.partition('::')[2]}"
    words = re.sub(r"[^\w.=-]+", "-", test)[:LONGEST].strip("-")
    folder = _base(item.config) / f"{words}-{digest}"
    return folder if name == "machine" else folder / name.replace(" ", "-")


def _base(config: pytest.Config) -> Path:
    given = config.getoption(ARTIFACTS)
    if given:
        return Path(config.invocation_params.dir / given)
    if beside := config.getini(ARTIFACTS):
        return Path(config.inipath.parent if config.inipath else config.rootpath, beside)
    # pytest has no public way to this folder outside a fixture.
    factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
    return factory.getbasetemp() / "mm-artifacts"
