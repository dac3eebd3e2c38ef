"""A campaign's folder: what it has found and learnt, so that it can go on another day.

::

    campaign.json     how far it is, written anew every few seconds
    corpus/N.json     the cases that are kept, and what each showed first
    findings/NAME/    one bug each

Every file is there whole or not at all. A campaign that is killed has lost what came after
``campaign.json`` was written: some counts, and no case or finding.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.fuzz.case import Case
from harness.fuzz.subject import Source
from harness.report.files import write_atomically

T = TypeVar("T")

FORMAT = 1
_STATE = "campaign.json"
_LONGEST_NAME = 60


SPARE_BYTES = 256 << 10
"""Kept free for the last writes before a campaign ends because its disk is full."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
_ANOTHER = "take another --folder"
_LEFTOVER = re.compile(r"\.[\w-]+\.(json|txt|py|svg|log|core)\.\w{8}")
"""A file that was being written when somebody killed the writer."""


class StoreError(Exception):
    """A folder that holds no campaign, another one, or one that somebody is at."""


class CannotWrite(OSError):
    """A campaign's folder that takes nothing more; the message says why, and what to do."""


@contextmanager
def written_to(place: Path) -> Iterator[None]:
    """Turn what goes wrong with writing to ``place`` into a :class:`CannotWrite`."""
    try:
        yield
    except CannotWrite:
        raise
    except OSError as error:
        if error.errno in _NO_ROOM:
            what = "make room there, and go on with --resume: what was found is kept"
        elif error.errno == errno.ENOENT:
            what = "put the campaign's folder back, or begin another one"
        elif error.errno in _NOT_ALLOWED:
            what = "let it be written to, and go on with --resume"
        else:
            what = "mend that, and go on with --resume"
        raise _cannot_write(error, place, what) from None


@contextmanager
def _made_in(folder: Path) -> Iterator[None]:
    """Do the same where a campaign's folder is made or opened: it may be no place for one."""
    try:
        yield
    except FileExistsError as error:
        raise _cannot_write(error, folder, _ANOTHER, "it is no folder") from None
    except FileNotFoundError as error:
        raise _cannot_write(error, folder, _ANOTHER, "no folder can be made there") from None
    except OSError as error:
        if error.errno in _NO_ROOM:
            what = f"make room there, or {_ANOTHER}"
        elif error.errno in _NOT_ALLOWED:
            what = f"let it be written to, or {_ANOTHER}"
        else:
            what = _ANOTHER
        raise _cannot_write(error, folder, what) from None


def _cannot_write(error: OSError, place: Path, what: str, why: str | None = None) -> CannotWrite:
    where, why = error.filename or place, why or error.strerror or str(error)
    return CannotWrite(f"cannot write to {where}: {why}; {what}")


@dataclass(frozen=True)
class Counts:
    """How far a campaign is, over all its sessions."""

    kernel: str
    """Digest of the kernel's file."""
    seed: int
    cases: int = 0
    impossible: int = 0
    refused: int = 0
    lost: int = 0
    seconds: float = 0.0
    coverage: Source | None = None
    """Who tells the edges; None as long as nobody can."""
    format: int = FORMAT


@dataclass(frozen=True)
class Kept:
    """A case of the corpus, and the features and edges that no case before it had shown."""

    case: Case
    new: tuple[str, ...]
    edges: tuple[int, ...] = ()


class Store:
    """The folder of one campaign; see :func:`open_store`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._corpus = folder / "corpus"
        self.findings = folder / "findings"
        self._spare = folder / ".spare"
        with _made_in(folder):
            for needed in (self._corpus, self.findings):
                needed.mkdir(exist_ok=True)
            self._tidy()
            try:
                self._spare.write_bytes(bytes(SPARE_BYTES))
            except OSError:
                self.close()
                raise
        self._next = 1 + max((int(path.stem) for path in self._cases()), default=-1)

    def _cases(self) -> list[Path]:
        return sorted(path for path in self._corpus.glob("*.json") if path.stem.isdecimal())

    def _tidy(self) -> None:
        """Remove what was half written when the last session was killed."""
        for path in self.folder.rglob(".*"):
            if _LEFTOVER.fullmatch(path.name):
                path.unlink()

    def close(self) -> None:
        """Give back what was kept free."""
        self._spare.unlink(missing_ok=True)

    def write(self, path: Path, text: str) -> None:
        """Write a file, also into a new folder; raise :class:`CannotWrite`.

        On a disk that is full it is written all the same, to what was kept free for that.
        """
        try:
            with written_to(path):
                write_new(path, text)
        except CannotWrite:
            if not self._spare.exists():
                raise
            self.close()
            with contextlib.suppress(OSError):
                write_new(path, text)
            raise

    def counts(self) -> Counts | None:
        """Return how far the campaign was; None at its beginning. Raise :class:`StoreError`."""
        path = self.folder / _STATE
        if not path.exists():
            return None
        counts = _read(path, Counts, "move it away, and begin without --resume: all else is kept")
        if counts.format != FORMAT:
            raise StoreError(
                f"{path}: format {counts.format}; this program reads {FORMAT}: go on with the "
                "version that began the campaign, or take another folder"
            )
        return counts

    def write_counts(self, counts: Counts) -> None:
        """Write how far the campaign is; raise :class:`CannotWrite`."""
        self.write(self.folder / _STATE, _text(counts))

    def keep(self, kept: Kept) -> None:
        """Add a case to the corpus; raise :class:`CannotWrite`."""
        self.write(self._corpus / f"{self._next:06}.json", _text(kept))
        self._next += 1

    def corpus(self) -> Iterator[Kept]:
        """Yield the corpus, oldest first; raise :class:`StoreError`."""
        for path in self._cases():
            yield _read(path, Kept, "move it away, and go on with --resume")

    def finding_folder(self, group: str) -> Path:
        """Return where a finding of this group belongs."""
        words = re.sub(r"[^\w.]+", "-", group).strip("-")[:_LONGEST_NAME].rstrip("-")
        return self.findings / f"{words}-{hashlib.sha256(group.encode()).hexdigest()[:8]}"


@contextmanager
def open_store(folder: Path, begun: bool = False) -> Iterator[Store]:
    """Make or open a campaign's folder; for one process at a time. Raise :class:`StoreError`.

    With ``begun`` it must hold a campaign, and nothing is made where it does not.
    """
    with _made_in(folder):
        if begun and not (folder / _STATE).exists():
            raise StoreError(f"{folder} holds no campaign to go on with: leave --resume out")
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, folder)
        store = Store(folder)
        try:
            yield store
        finally:
            store.close()
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    """Keep others out of a folder; the lock is gone with the process, however that ends."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(
            f"another campaign is at work in {folder}: wait for its end, or {_ANOTHER}"
        ) from None
    except OSError as error:
        raise StoreError(f"cannot lock {folder}: {error.strerror}; {_ANOTHER}") from None


def write_new(path: Path, text: str) -> None:
    """Write a file whole or not at all, also into a new folder; raise ``OSError``."""
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, text)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode() + "\n"


def _read(path: Path, kind: type[T], advice: str) -> T:
    """Return what a file holds; raise :class:`StoreError`, which ends in ``advice``."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; {advice}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} is damaged: {error}; {advice}") from None
