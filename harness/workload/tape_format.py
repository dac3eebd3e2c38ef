"""How a kernel lays a tape out: its own structures, read from its debug information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.image.errors import DescriptionError
from harness.image.kernel_image import KernelImage
from harness.image.schema.running import Tape as TapeDescription
from harness.workload.operation import RESULT, Flag, Kind, Operations, Results

_ALIGNMENT = 8
_BYTES = 256
"""Values of a byte."""


@dataclass(frozen=True)
class TapeFormat:
    """A kernel's tape; see :meth:`of`."""

    description: TapeDescription
    header: Any
    """The ``construct`` of its header."""
    operation: np.dtype[Any]
    result: np.dtype[Any]
    slot: np.dtype[Any]
    magic: int
    wrong: int
    """The bit of a result's ticks that tells of wrong bytes."""
    kinds: npt.NDArray[np.int64]
    """The kernel's number for each of ours, -1 for what it has not."""
    flags: npt.NDArray[np.int64]
    """The same for sets of flags."""

    @classmethod
    def of(cls, kernel: KernelImage) -> TapeFormat:
        """Return a kernel's format; raise :class:`DescriptionError` when it has no tapes."""
        tape = kernel.description.tape
        if tape is None:
            raise DescriptionError("this kernel's description has no [tape]")
        types = kernel.types
        return cls(
            description=tape,
            header=types.construct(tape.header),
            operation=types.dtype(tape.operation),
            result=types.dtype(tape.result),
            slot=types.dtype(tape.slot),
            magic=_enumerator(kernel, tape.names, "MAGIC"),
            wrong=_enumerator(kernel, tape.names, "WRONG"),
            kinds=_kinds(kernel, tape),
            flags=_flags(kernel, tape),
        )

    def encode(self, operations: Operations) -> bytes:
        """Return operations as the kernel reads them.

        Raise ``ValueError`` for kinds and flags that it does not know.
        """
        kinds, flags = self.kinds[operations["kind"]], self.flags[operations["flags"]]
        for name, known in (("kind", kinds), ("flags", flags)):
            unknown = np.flatnonzero(known < 0)
            if len(unknown):
                first = int(unknown[0])
                value = operations[name][first]
                raise ValueError(f"operation {first}: this kernel has no {name} {value}")
        encoded = np.zeros(len(operations), dtype=self.operation)
        encoded["kind"] = kinds
        encoded["flags"] = flags
        for name in ("cache", "slot", "size"):
            encoded[name] = operations[name]
        return encoded.tobytes()

    def decode(self, results: npt.NDArray[Any]) -> Results:
        """Return results as ours, from an array of the kernel's."""
        decoded = np.zeros(len(results), dtype=RESULT)
        decoded["value"] = results["value"]
        decoded["ticks"] = results["ticks"] & np.uint32(self.wrong - 1)
        decoded["wrong"] = results["ticks"] & np.uint32(self.wrong) != 0
        return decoded

    def fits(self, header: Any, length: int) -> bool:
        """Return whether a header is a tape's, and its arrays lie in a module of so many bytes."""
        arrays = (
            (header.operations, header.operation_capacity, self.operation),
            (header.results, header.operation_capacity, self.result),
            (header.slots, header.slot_capacity, self.slot),
        )
        ends = (offset + count * layout.itemsize for offset, count, layout in arrays)
        return header.magic == self.magic and all(end <= length for end in ends)

    def blank(self, operations: int, slots: int) -> bytes:
        """Return a tape with room for so many operations and slots, all of them empty."""
        arrays = ((operations, self.operation), (operations, self.result), (slots, self.slot))
        sizes = [self.header.sizeof(), *(count * layout.itemsize for count, layout in arrays)]
        places = np.cumsum([0, *(-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes)]).tolist()
        header = self.header.build(
            {
                "magic": self.magic,
                "operation_capacity": operations,
                "slot_capacity": slots,
                **dict(zip(("operations", "results", "slots"), places[1:4], strict=True)),
                **dict.fromkeys(("count", "position", "overhead"), 0),
            }
        )
        return bytes(header).ljust(places[4], b"\0")


def _enumerator(kernel: KernelImage, names: str, name: str) -> int:
    full = names.replace("{name}", name)
    value = kernel.types.enumerator(full)
    if value is None:
        raise DescriptionError(f"[tape] names: this kernel has no enumerator {full}")
    return value & 0xFFFFFFFF


def _kinds(kernel: KernelImage, tape: TapeDescription) -> npt.NDArray[np.int64]:
    table = np.full(_BYTES, -1, dtype=np.int64)
    for kind in Kind:
        value = kernel.types.enumerator(tape.names.replace("{name}", kind.name))
        table[kind] = -1 if value is None else value
    return table


def _flags(kernel: KernelImage, tape: TapeDescription) -> npt.NDArray[np.int64]:
    unknown = np.bitwise_and(np.arange(_BYTES), ~int(sum(Flag))) != 0
    table = np.where(unknown, -1, 0).astype(np.int64)
    for flag in Flag:
        with_it = ~unknown & ((np.arange(_BYTES) & int(flag)) != 0)
        table[with_it] |= _enumerator(kernel, tape.names, flag.name or "")
    return table
