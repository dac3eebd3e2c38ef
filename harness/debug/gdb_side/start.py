"""The first thing that gdb runs: the ``mm`` commands come into being, and the guest is attached."""

from __future__ import annotations

from harness.debug.gdb_side.commands import begin

begin()
