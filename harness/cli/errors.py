"""Which errors are a user's to mend, and with which exit code they end."""

from __future__ import annotations

from harness.check.observation import NotToBeSeen
from harness.cli.exit_codes import EXIT_ENVIRONMENT, EXIT_USAGE
from harness.debug.mi import GdbError
from harness.fuzz.case_file import CaseError
from harness.fuzz.store import StoreError
from harness.image.build import BuildError
from harness.image.elf import ImageError
from harness.image.errors import DescriptionError
from harness.machine.errors import MachineError, SpecError
from harness.maps.library import UnknownMap
from harness.maps.syntax import MapSyntaxError
from harness.ram.protocol import RamError
from harness.report.picture import NoPictures
from harness.report.views.view import BadArguments
from harness.workload.workload import WorkloadError

_BAD_INPUT = (
    *(BadArguments, CaseError, DescriptionError, ImageError, MapSyntaxError, NotToBeSeen),
    *(SpecError, StoreError, UnknownMap, WorkloadError),
)
_BAD_ENVIRONMENT = (BuildError, GdbError, MachineError, NoPictures, OSError, RamError)

USER_ERRORS = (*_BAD_INPUT, *_BAD_ENVIRONMENT)
"""Errors whose message is the whole story for a user; anything else is a defect of ours."""


def exit_code(error: Exception) -> int:
    """Return the exit code for one of :data:`USER_ERRORS`."""
    return EXIT_USAGE if isinstance(error, _BAD_INPUT) else EXIT_ENVIRONMENT
