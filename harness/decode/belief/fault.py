"""Where guest memory could not be what its description says it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DecodeFault:
    """A place where guest memory could not be what its description says it is.

    ``structure`` names the description's entry, ``chain`` the addresses that led there (the last
    is the culprit); decoding went on behind it.
    """

    structure: str
    message: str
    chain: tuple[int, ...] = ()
    physical: bool = False
    at: int | None = None
    """Where the wrong value itself stands, an address of the same kind; None where the last
    address of the chain is that, too."""
