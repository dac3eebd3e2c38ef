"""What a failed test leaves for later: a folder with all that is known of its machine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.check.checked_guest import CheckedGuest
from harness.pytest_plugin.options import ARTIFACTS
from harness.report.reproduce import command_line

LONGEST = 80
"""Characters of a test's name in a folder's."""
CORE_LIMIT = 256 << 20
"""Bytes of guest RAM beyond which no core is left: it would be as large."""

_LEFT = pytest.StashKey[int]()


def leave_artifacts(
    item: pytest.Item, name: str, guest: CheckedGuest, report: Mapping[str, str]
) -> str:
    """Write a folder for one machine of a failed test; return where it is and what is in it."""
    try:
        folder = _folder(item, name)
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "command-line.txt": command_line(guest.spec) + "\n",
            "console.log": guest.console.log.text(),
            "report.txt": "".join(f"== {title}\n{text}\n\n" for title, text in report.items()),
        }
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        return f"could not be written: {error}"
    return f"{folder}: {', '.join(files)}"


def _folder(item: pytest.Item, name: str) -> Path:
    """Return the folder of one machine of a test; its name says which test, and is unique."""
    digest = hashlib.sha256(item.nodeid.encode()).hexdigest()[:8]
    words = re.sub(r"[^\w.=-]+", "-", item.nodeid.rpartition("/")[2])[:LONGEST].strip("-")
    folder = _base(item.config) / f"{words}-{digest}"
    return folder if name == "machine" else folder / name.replace(" ", "-")


def _base(config: pytest.Config) -> Path:
    given = config.getoption(ARTIFACTS)
    if given:
        return Path(config.invocation_params.dir / given)
    if beside := config.getini(ARTIFACTS):
        return Path(config.inipath.parent if config.inipath else config.rootpath, beside)
    factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
    return factory.getbasetemp() / "mm-artifacts"
