"""What can go wrong with a cluster, and whether there can be one at all."""

from __future__ import annotations

from importlib.util import find_spec

from harness.machine.errors import MachineError


class ClusterError(MachineError):
    """A cluster that cannot be reached, or not be worked with."""


def has_cluster() -> bool:
    """Return whether the extra is installed that clusters need."""
    return find_spec("distributed") is not None


def require_cluster() -> None:
    """Raise :class:`ClusterError` when no cluster can be used."""
    if not has_cluster():
        raise ClusterError("a scheduler needs dask.distributed: install mm-harness[cluster]")
