"""The machine of a test: what it is, and its boots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.check.verify import right_to_refuse
from harness.debug.guest import DebuggedGuest
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.spec import MachineSpec
from harness.pytest_plugin.errors import explained
from harness.pytest_plugin.settings import check_names
from harness.pytest_plugin.spec import machine_spec
from harness.pytest_plugin.support import not_for_this_kernel, unsupported
from harness.pytest_plugin.warm import WarmMachines


class MachineUnderTest:
    """A machine as the test says that it shall be; each boot is a fresh one."""

    def __init__(
        self,
        request: pytest.FixtureRequest,
        kernel: KernelImage,
        said: Mapping[str, Any],
        warm: WarmMachines,
    ) -> None:
        self._request, self._kernel, self._said, self._warm = request, kernel, dict(said), warm
        self._folder = Path(request.path).parent
        self.spec = self._spec({})
        """What is booted when nothing else is said."""

    def __repr__(self) -> str:
        """Return what it is called in a test: Hypothesis prints what it calls one with."""
        return "machine"

    @property
    def kernel(self) -> KernelImage:
        """The kernel that is booted."""
        return self._kernel

    def boot(self, spec: MachineSpec | None = None, **changes: Any) -> DebuggedGuest:
        """Return a guest that is paused before its kernel's first instruction.

        ``changes`` are settings as ``@pytest.mark.machine`` takes them, for this boot alone; a
        whole ``spec`` takes the place of all of them. The guest is valid to the end of the test,
        or of its ``with`` block.
        """
        chosen = self._spec(changes) if spec is None else spec
        paths = chosen.kernel.description.boot.paths
        if chosen.boot.value not in paths:
            words = ", ".join(paths)
            unsupported(
                self._request.config,
                f"the kernel's description has no boot path {chosen.boot.value} ({words})",
            )
        with explained():
            return self._warm.boot(chosen)

    def boot_ready(self, spec: MachineSpec | None = None, **changes: Any) -> DebuggedGuest:
        """Return a guest whose kernel said that it is ready; fail when it does not get there.

        A kernel that turns the machine down with good reason is no failure but not supported; with
        ``@given`` Hypothesis tries another machine.
        """
        guest = self.boot(spec, **changes)
        ending = guest.run_until_ready()
        if ending.alive:
            return guest
        if ending.kind is EndingKind.REFUSED and (reason := right_to_refuse(guest)):
            not_for_this_kernel(
                self._request.config, f"the kernel rightly refuses this machine: {reason}"
            )
        return pytest.fail(f"the kernel did not get ready: {ending}", pytrace=False)

    def _spec(self, changes: Mapping[str, Any]) -> MachineSpec:
        check_names(changes, "boot()")
        for name in ("kernel", "build", "preset"):
            if name in changes:
                pytest.fail(f"boot() takes no {name}: it decides what is built", pytrace=False)
        with explained():
            return machine_spec(self._kernel, {**self._said, **changes}, self._folder)
