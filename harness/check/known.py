"""One thing that is known of an address."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """What one source says of an address."""

    topic: str
    """The source: ``owner``, ``heap``, ``symbol`` …"""
    words: str
    """Words with addresses in hex."""

    def __str__(self) -> str:
        return f"{self.topic}: {self.words}"
