from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from harness.image import cache
from harness.image.cache import cache_directory, cached


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _file(folder: Path) -> Path:
    (file,) = (folder / "kind").iterdir()
    return file


def test_a_value_is_produced_once(folder: Path) -> None:
    values = iter([{"a": [1, None, "ä"]}])
    for _ in range(2):
        assert cached("kind", "key", lambda: next(values)) == {"a": [1, None, "ä"]}
    assert cache_directory() == folder
    assert stat.S_IMODE(_file(folder).stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "kind").stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", [b"", b"\n", b"[1]", b"x" * 64 + b"\n[1]"])
def test_a_foreign_file_is_built_anew(folder: Path, damage: bytes) -> None:
    cached("kind", "key", lambda: [1])
    _file(folder).write_bytes(damage)
    assert cached("kind", "key", lambda: [2]) == [2]
    assert cached("kind", "key", lambda: [3]) == [2]


def test_every_flipped_bit_is_noticed(folder: Path) -> None:
    cached("kind", "key", lambda: [1, 2, 3])
    good = _file(folder).read_bytes()
    for position in range(len(good)):
        changed = bytearray(good)
        changed[position] ^= 1
        _file(folder).write_bytes(changed)
        assert cached("kind", "key", lambda: "new") == "new", position


def test_a_cache_that_cannot_be_written_costs_time_only(folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    assert cached("kind", "key", lambda: 5) == 5


def test_the_values_that_were_used_last_are_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "KEPT_VALUES", 2)
    for age, key in ((30, "oldest"), (20, "older"), (10, "old")):
        cached("kind", key, lambda: 0)
        for file in (folder / "kind").glob(f"{key}.*"):
            os.utime(file, (0, time.time() - age))
    assert cached("kind", "older", lambda: 1) == 0  # a use like any other
    cached("kind", "new", lambda: 0)
    kept = {file.name.partition(".")[0] for file in (folder / "kind").iterdir()}
    assert kept == {"older", "new"}
