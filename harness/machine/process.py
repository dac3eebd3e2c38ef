"""A QEMU process: started, watched, and certain to end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence

from harness.machine.errors import QemuMissing

QEMU = "qemu-system-i386"
STDERR_TAIL = 4096
"""Bytes of QEMU's messages that are kept for an error."""
END_TIMEOUT = 10.0
"""Seconds in which a killed process must be gone."""


class QemuProcess:
    """QEMU as a child that ends with us, even when we are killed.

    ``setpriv --pdeathsig KILL`` (util-linux) asks the kernel to kill it with the thread that
    started it (prctl(2), PR_SET_PDEATHSIG); unlike a ``preexec_fn`` that is safe in a process
    with threads. It is in a session of its own, so that Ctrl-C at the terminal reaches us alone
    and the machine is still there to be looked at.
    """

    def __init__(self, arguments: Sequence[str], descriptors: Iterable[int]) -> None:
        self._messages = os.memfd_create("qemu-messages")
        self.arguments = (require(QEMU), *arguments)
        launcher = (require("setpriv"), "--pdeathsig", "KILL", "--")
        self._process = subprocess.Popen(
            launcher + self.arguments,
            stdin=subprocess.DEVNULL,
            stdout=self._messages,
            stderr=self._messages,
            pass_fds=tuple(descriptors),
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.exit_descriptor = os.pidfd_open(self.pid)
        """Readable once the process has ended."""
        self._cpu_clock = _cpu_clock(self.pid)
        self._cpu_seconds = 0.0

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return self._process.poll() is None

    def cpu_seconds(self) -> float:
        """Return the CPU time that all its threads have used, up to its end."""
        with contextlib.suppress(OSError):
            self._cpu_seconds = time.clock_gettime(self._cpu_clock)
        return self._cpu_seconds

    def how_it_ended(self) -> str:
        """Say how it ended, with the last of what it said; waits for a process that is ending."""
        select.select([self.exit_descriptor], [], [], END_TIMEOUT)
        code = self._process.poll()
        if code is None:
            how = "is still running"
        elif code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        else:
            how = f"exited with status {code}"
        said = self.messages()
        return f"QEMU {how}" + (f"; it said: {said}" if said else "")

    def messages(self) -> str:
        """Return the end of what QEMU wrote to its standard output and error."""
        size = os.fstat(self._messages).st_size
        tail = os.pread(self._messages, STDERR_TAIL, max(0, size - STDERR_TAIL))
        return tail.decode("utf-8", "replace").strip()

    def kill(self) -> None:
        """End it at once and wait until it is gone; may be called again."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(END_TIMEOUT)

    def close(self) -> None:
        """End it and give back what belongs to it."""
        self.kill()
        os.close(self.exit_descriptor)
        os.close(self._messages)


def _cpu_clock(pid: int) -> int:
    """Return the clock of a process's CPU time (clock_getcpuclockid(3))."""
    clock = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(ctypes.c_int(pid), ctypes.byref(clock))
    if error:
        raise OSError(error, os.strerror(error))
    return clock.value


def require(program: str) -> str:
    """Return where ``program`` is; raise :class:`QemuMissing` with what to do."""
    path = shutil.which(program)
    if path is None:
        package = "qemu-system-x86" if program == QEMU else "util-linux"
        raise QemuMissing(f"{program} is not installed: apt-get install {package}")
    return path
