"""The recorded workloads that come with the harness: ``recorded/*.txt``."""

from __future__ import annotations

from pathlib import Path

from harness.workload.workload import Workload, WorkloadError, load_workload

_FOLDER = Path(__file__).with_name("recorded")
_SUFFIX = ".txt"


def names() -> tuple[str, ...]:
    """Return the names of all recorded workloads, ascending."""
    return tuple(sorted(path.name.removesuffix(_SUFFIX) for path in _FOLDER.glob("*" + _SUFFIX)))


def find(name: str) -> Workload:
    """Return the workload of this name, or in this file; raise :class:`WorkloadError`."""
    if name in names():
        return load_workload(_FOLDER / (name + _SUFFIX))
    path = Path(name)
    if path.is_file():
        return load_workload(path)
    raise WorkloadError(f"no workload and no file {name!r}; there are {', '.join(names())}")
