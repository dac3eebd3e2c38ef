"""Violations in the order in which they explain each other."""

from __future__ import annotations

from harness.check.causes import causes_first
from harness.check.violation import Violation


def test_causes_come_before_what_follows_from_them() -> None:
    kinds = [
        "frames.leaked",
        "decode.frame-table",
        "paging.missing",
        "heap.magic",
        "decode.page-tables",
        "contents.text",
        "bitmap.free",
        "firmware-map.missing",
    ]
    ordered = [one.kind for one in causes_first(Violation(kind, "") for kind in kinds)]
    assert ordered == [
        "contents.text",
        "decode.page-tables",
        "firmware-map.missing",
        "paging.missing",
        "decode.frame-table",
        "frames.leaked",
        "heap.magic",
        "bitmap.free",
    ]


def test_violations_of_one_rank_keep_their_order() -> None:
    several = [Violation("paging.guard", str(index)) for index in range(5)]
    assert list(causes_first(several)) == several
