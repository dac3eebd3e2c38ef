"""Structures that no debug information tells of, declared by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class DeclaredMember:
    """One member of a structure."""

    offset: int
    """Bytes from the structure's start."""
    type: str
    """C type: an integer, a structure declared above, a pointer to any of these, or an array of
    them (``char[16]``)."""


@dataclass(frozen=True)
class DeclaredType:
    """A structure as a compiler would have laid it out; debug information must agree with it."""

    name: str
    """With its keyword: ``struct page``."""
    size: int
    """Bytes, from one element of an array to the next."""
    members: Mapping[str, DeclaredMember] = field(hash=False)
    """Members by name; what is not named is not looked at."""
