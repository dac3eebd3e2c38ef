"""What a check says when something is wrong, and what a whole machine amounts to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """One broken property."""

    kind: str
    """Stable, for grouping: family and property, such as ``frames.two-owners``."""
    message: str
    """One or two sentences for a person, with addresses in hex."""
    properties: tuple[str, ...] = ()
    """V1 … V11 of ``docs/invariants.md``."""
    address: int | None = None
    """Where to look, if there is one place."""
    physical: bool = True
    """Whether ``address`` is physical."""
    word: int | None = None
    """Physical address of what is wrong in memory itself, where that is known: the page table
    entry, the frame table's element, the link, the header, the counter, the bitmap's word."""
    length: int = 0
    """Bytes from ``address`` on that it is about, where those are whole frames or pages."""

    def __str__(self) -> str:
        """Return one line: kind, words, and the address if the words lack it."""
        where = ""
        if self.address is not None and f"0x{self.address:x}" not in self.message:
            kind = "physical" if self.physical else "virtual"
            where = f" (at {kind} 0x{self.address:08x})"
        return f"{self.kind}: {self.message}{where}"
