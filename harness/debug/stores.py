"""Every store to a few words of guest RAM, listed by a plugin inside QEMU.

A debugger's watchpoint is for a virtual address. The plugin sees where a store goes: what mapping
it goes through does not matter, nor whether anybody knows of it. It is ``stores.c`` beside this
file, compiled once and kept.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from harness.machine.errors import ToolMissing
from harness.machine.plugin import compiled, plugin_arguments, why_no_plugins
from harness.machine.qemu import RAM_FILE, Extra, path_of

STORE = np.dtype(
    [
        ("executed", "<u8"),  # instructions, some counted twice: an upper bound
        ("address", "<u4"),  # virtual
        ("code", "<u4"),  # virtual address of the instruction
        ("old", "<u4"),  # the whole word, where the instruction was known; else 0
        ("new", "<u4"),
        ("size", "<u4"),  # bytes that were stored
        ("uncertain", "<u4"),  # it went over a page's end: maybe to the word, maybe elsewhere
    ]
)
"""``struct store`` of stores.c."""
_HEADER = np.dtype(
    [
        *(("words", "<u4"), ("codes", "<u4"), ("capacity", "<u4"), ("padding", "<u4")),
        ("executed", "<u8"),
    ]
)
_WORD = np.dtype([("offset", "<u8"), ("total", "<u8")])

Stores = npt.NDArray[np.void]
"""dtype :data:`STORE`, in the order of execution."""


def plugin() -> Path:
    """Return the plugin; raise :class:`ToolMissing`."""
    return compiled(__package__, "stores.c")


class StoreTable:
    """What a plugin lists, shared with it: of each word the number of stores, and the last ones.

    A context manager.
    """

    def __init__(self, offsets: Sequence[int], capacity: int, codes: Iterable[int] = ()) -> None:
        """Make room for ``capacity`` stores to each word.

        ``offsets`` in bytes, ascending, are places in RAM's file. ``codes`` are virtual addresses
        of instructions whose stores are to tell what was there before.
        """
        noted = np.array(sorted(set(codes)), dtype="<u4")
        store_start = _HEADER.itemsize + len(offsets) * _WORD.itemsize
        code_start = store_start + len(offsets) * capacity * STORE.itemsize
        self.words = len(offsets)
        self._file = os.memfd_create("stores")
        try:
            size = code_start + noted.nbytes
            os.ftruncate(self._file, size)
            self._mapped = mmap.mmap(self._file, size)
        except BaseException:
            os.close(self._file)
            raise
        self._header = np.frombuffer(self._mapped, _HEADER, 1)
        self._words = np.frombuffer(self._mapped, _WORD, len(offsets), _HEADER.itemsize)
        stores = np.frombuffer(self._mapped, STORE, len(offsets) * capacity, store_start)
        self._stores = stores.reshape(len(offsets), capacity)
        self._header[0] = (len(offsets), len(noted), capacity, 0, 0)
        self._words["offset"] = offsets
        np.frombuffer(self._mapped, "<u4", len(noted), code_start)[:] = noted

    @property
    def extra(self) -> Extra:
        """What QEMU must be given."""
        table = path_of(self._file)
        return Extra(plugin_arguments(plugin(), table=table, ram=RAM_FILE), (self._file,))

    def clear(self) -> None:
        """Forget the stores up to now, while the guest is paused."""
        self._words["total"] = 0

    @property
    def executed(self) -> int:
        """Instructions executed, those counted twice that were begun anew."""
        return int(self._header["executed"][0])

    def total(self, word: int) -> int:
        """Return how many stores to a word there were."""
        return int(self._words["total"][word])

    def last(self, word: int, since: int = 0) -> Stores:
        """Return the last stores to a word, of those from number ``since`` on; as many as fit."""
        total, capacity = self.total(word), self._stores.shape[1]
        first = max(since, total - capacity)
        stores: Stores = self._stores[word][np.arange(first, total) % capacity]
        return stores

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def why_unsupported() -> str | None:
    """Return why the plugin cannot be used on this machine, None when it can."""
    try:
        plugin()
    except ToolMissing as error:
        return str(error)
    return why_no_plugins()
