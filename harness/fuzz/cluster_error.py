"""What can go wrong with a cluster, and whether there can be one at all."""

from __future__ import annotations

from importlib.util import find_spec

from harness.machine.errors import MachineError


class ClusterError(MachineError):
    """A cluster that cannot be reached, or not be worked with."""


def require_cluster() -> None:
    """Raise :class:`ClusterError` when no cluster can be used."""
    if find_spec("distributed") is None:
        raise ClusterError("a scheduler needs dask.distributed: install mm-harness[cluster]")
