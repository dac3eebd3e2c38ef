"""Where in a structure a description's expression looks."""

from __future__ import annotations

import re
from functools import lru_cache

from harness.image.c_type import CType

_NAME = re.compile(r"[A-Za-z_]\w*")


@lru_cache(maxsize=4096)
def member_offset(type_: CType, expression: str | None) -> int | None:
    """Return the offset, in bytes, of the first member of ``type_`` that an expression names."""
    if expression is None:
        return None
    offsets = {member.name: member.offset for member in type_.stripped.fields()}
    named = (offsets[name] for name in _NAME.findall(expression) if name in offsets)
    return next(named, None)
