"""What JUnit's XML says of the machines of a test."""

from __future__ import annotations

import pytest

from harness.machine.guest import Guest
from harness.report.units import size


def note_properties(item: pytest.Item, guest: Guest) -> None:
    """Add map, size, boot path, QEMU's version and the kernel's hash to a test's properties."""
    spec = guest.spec
    found = {
        "mm_map": (spec.map.name or "unnamed") if spec.map else "pc",
        "mm_memory": size(spec.memory),
        "mm_boot": spec.boot.value,
        "mm_kernel": spec.kernel.digest,
        "mm_qemu": guest.qemu_version,
    }
    for pair in found.items():
        if pair not in item.user_properties:
            item.user_properties.append(pair)
