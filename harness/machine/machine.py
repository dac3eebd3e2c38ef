"""A machine that can boot a kernel: QEMU's process and the way in."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import Self

from harness.machine import boot_direct, boot_firmware
from harness.machine.errors import MachineError, SpecError
from harness.machine.guest import Guest
from harness.machine.limits import check_spec
from harness.machine.qemu import Extra
from harness.machine.spec import BootPath, MachineSpec
from harness.machine.vm import Vm


@contextlib.contextmanager
def _host_memory(spec: MachineSpec) -> Iterator[None]:
    """Say so when the host has too little memory for a machine: RAM is a file in memory."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOMEM, errno.ENOSPC):
            raise
        raise MachineError(
            f"the host has no memory left for a machine with {spec.memory >> 20} MiB of RAM "
            f"({error.strerror}): take fewer --jobs or less --memory"
        ) from None


class Machine:
    """A machine as ``spec`` says; a context manager that owns its QEMU process.

    Use it from the thread that made it: QEMU ends with that thread at the latest.
    """

    def __init__(self, spec: MachineSpec, extra: Extra | None = None) -> None:
        """Check ``spec``; raise :class:`harness.machine.errors.SpecError`."""
        check_spec(spec)
        self.spec = spec
        self._extra = extra
        self._vm: Vm | None = None
        self._prepared: boot_direct.DirectBoot | None = None

    def boot(self, spec: MachineSpec | None = None) -> Guest:
        """Return a guest that is paused before its kernel's first instruction.

        Can be called again: on the direct path the same process is reset, which takes less than
        1 ms; on the others a new one is started. ``spec`` may then differ
        from the machine's in map, fill, command line, modules and shape.
        """
        if spec is not None:
            check_spec(spec)
            self.spec = spec
        with _host_memory(self.spec):
            if self.spec.boot is BootPath.DIRECT:
                return self._boot_direct()
            self.close()
            self._vm, information, ending = boot_firmware.start(self.spec, self._extra)
            return Guest(self.spec, self._vm, information, ending)

    def power_on(self) -> Guest:
        """Return a guest that is paused before the processor's first instruction.

        On the direct path that is what :meth:`boot` returns. On the others the firmware is yet to
        run, and what it and the loader leave reaches the kernel as it is: raise
        :class:`SpecError` when the machine has a map of its own. The guest's ``information`` is
        None, since nobody knows it yet.
        """
        if self.spec.boot is BootPath.DIRECT:
            return self._boot_direct()
        if self.spec.map is not None:
            raise SpecError(
                "a map is chosen at the kernel's entry: use boot() instead of power_on()"
            )
        self.close()
        self._vm = boot_firmware.start_vm(self.spec, self._extra)
        return Guest(self.spec, self._vm, None)

    def _boot_direct(self) -> Guest:
        if self._prepared is None or self._prepared.spec != self.spec:
            self._prepared = boot_direct.prepare(self.spec)
        if self._vm is not None and self.running:
            self._vm.detach()
            self._vm.pause()
            self._vm.reset()  # keeps RAM: QEMU is at it while RAM is loaded
            boot_direct.load(self._vm, self._prepared, again=True)
            self._vm.console.renew()
        else:
            self.close()
            self._vm = boot_direct.start_vm(self.spec, self._extra)
            boot_direct.load(self._vm, self._prepared, again=False)
        return Guest(self.spec, self._vm, self._prepared.information(self._vm.ram))

    @property
    def running(self) -> bool:
        """Whether there is a process that a boot could reuse."""
        return self._vm is not None and self._vm.process.alive

    def resident_bytes(self) -> int:
        """Return how much of the host's memory guest RAM takes."""
        return self._vm.memory.resident_bytes() if self._vm else 0

    def close(self) -> None:
        """End QEMU and give everything back; may be called again."""
        if self._vm is not None:
            vm, self._vm = self._vm, None
            vm.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
