"""A machine for programs: everything that a spec says, as JSON values."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

from harness.image.kernel_image import KernelImage
from harness.machine.spec import MachineSpec, Module
from harness.maps.json_form import to_json


def spec_json(spec: MachineSpec) -> dict[str, Any]:
    """Return ``spec`` as JSON values: sizes in bytes, modules by length and SHA-256."""
    return {
        "kernel": kernel_json(spec.kernel),
        "memory": spec.memory,
        "map": None if spec.map is None else to_json(spec.map),
        "boot": spec.boot.value,
        "cpu": spec.cpu,
        "fill": {
            "kind": spec.fill.kind.value,
            "seed": spec.fill.seed,
            "everywhere": spec.fill.everywhere,
        },
        "append": spec.append,
        "modules": [_module(module) for module in spec.modules],
        "icount": spec.icount,
        "firmware": spec.firmware,
        "shape": dataclasses.asdict(spec.shape),
        "cutmem": [[cut.start, cut.stop] for cut in spec.cutmem],
    }


def kernel_json(kernel: KernelImage) -> dict[str, Any]:
    """Return what tells a kernel from others, as JSON values."""
    description = kernel.description
    return {
        "name": description.name,
        "path": str(kernel.path),
        "description": None if description.path is None else str(description.path),
        "build_id": kernel.build_id,
        "variables": dict(kernel.variables),
    }


def _module(module: Module) -> dict[str, Any]:
    digest = hashlib.sha256(module.data).hexdigest()
    return {"string": module.string, "length": len(module.data), "sha256": digest}
