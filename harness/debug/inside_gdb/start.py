"""The first thing that gdb runs: the ``mm`` commands come into being, and the guest is attached."""

from __future__ import annotations

from harness.debug.inside_gdb.commands import begin

begin()
