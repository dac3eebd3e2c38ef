"""A machine that was saved as JSON, as a machine again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from harness.image.find import load_or_build
from harness.image.kernel_image import KernelImage
from harness.machine.errors import SpecError
from harness.machine.multiboot import Placement, module_called
from harness.machine.saved_guest import load_guest
from harness.machine.shape import BootInformationShape
from harness.machine.spec import BootPath, Fill, FillKind, MachineSpec, Module
from harness.maps.json_form import parse_json

ELF = b"\x7fELF"


def load_spec(path: Path) -> MachineSpec:
    """Return the machine of a ``spec.json``, as failing tests leave it, or of a guest's core.

    The kernel of a ``spec.json`` is built again, and must come out the same; a core has it. Raise
    :class:`SpecError` when that, or a module's contents, cannot be had.
    """
    with path.open("rb") as file:
        is_core = file.read(len(ELF)) == ELF
    if is_core:
        guest = load_guest(path)
        modules = _modules_of(path, guest.machine, guest.placements)
        return spec_from_json(path, guest.machine, guest.kernel, modules)
    try:
        value = json.loads(path.read_bytes())
        kernel = _kernel(path, value["kernel"])
        if value["modules"]:
            raise SpecError(f"{path}: it does not hold its modules; a core of the guest does")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _misfit(path, error) from None
    return spec_from_json(path, value, kernel, ())


def spec_from_json(
    path: Path, value: dict[str, Any], kernel: KernelImage, modules: Sequence[Module]
) -> MachineSpec:
    """Return what :func:`harness.machine.spec_json.spec_json` was given, with what it leaves out.

    ``path`` is where ``value`` comes from, for errors: :class:`SpecError`.
    """
    try:
        chosen = value["map"]
        fill = value["fill"]
        return MachineSpec(
            kernel=kernel,
            memory=int(value["memory"]),
            map=None if chosen is None else parse_json(json.dumps(chosen), str(path))[0],
            boot=BootPath(value["boot"]),
            cpu=str(value["cpu"]),
            fill=Fill(FillKind(fill["kind"]), int(fill["seed"]), bool(fill["everywhere"])),
            append=str(value["append"]),
            modules=tuple(modules),
            icount=bool(value["icount"]),
            firmware=str(value["firmware"]),
            shape=_shape(value["shape"]),
            cutmem=tuple(range(start, stop) for start, stop in value["cutmem"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _misfit(path, error) from None


def _misfit(path: Path, error: Exception) -> SpecError:
    what = f"no {error}" if isinstance(error, KeyError) else str(error)
    return SpecError(f"{path}: this is no machine's spec.json, no core and no record: {what}")


def _shape(value: dict[str, Any]) -> BootInformationShape:
    """Return the shape; JSON has lists where it has tuples."""
    known = {item.name for item in fields(BootInformationShape)}
    given: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one
        for name, one in value.items()
        if name in known
    }
    return BootInformationShape(**given)


def _kernel(path: Path, facts: dict[str, Any]) -> KernelImage:
    source = Path(facts["description"] or facts["path"])
    kernel = load_or_build(source, dict(facts["variables"]))
    if kernel.build_id != facts["build_id"]:
        raise SpecError(
            f"{path}: {source} gives another kernel than it had then (build id {kernel.build_id}, "
            f"not {facts['build_id']}): its addresses may mean other things; a core has the kernel"
        )
    return kernel


def _modules_of(
    path: Path, machine: dict[str, Any], placements: Sequence[Placement]
) -> list[Module]:
    found = []
    for facts in machine.get("modules", ()):
        words = str(facts["string"]).split()
        placed = module_called(placements, words[-1]) if words else None
        if placed is None or len(placed.data) != facts["length"]:
            raise SpecError(f"{path}: it does not hold the module {facts['string']!r}")
        found.append(Module(placed.data, facts["string"]))
    return found
