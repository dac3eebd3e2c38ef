"""Collecting decode faults without end: a hostile guest can be wrong in a million places."""

from __future__ import annotations

from collections.abc import Sequence

from harness.decode.state import DecodeFault

LISTED = 20
"""Faults of one kind that are listed one by one."""


def list_faults(
    structure: str,
    message: str,
    chains: Sequence[tuple[int, ...]],
    physical: bool = False,
) -> list[DecodeFault]:
    """Return a fault for each chain, the ones past :data:`LISTED` summed up in a last one."""
    faults = [DecodeFault(structure, message, chain, physical) for chain in chains[:LISTED]]
    if len(chains) > LISTED:
        more = f"{message}; and {len(chains) - LISTED} more like it"
        faults.append(DecodeFault(structure, more, chains[LISTED], physical))
    return faults
