"""Errors whose message is the whole story for a user: shown without a traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn an error that a user can meet into a failure that is its message."""
    from harness.decode.context import DescriptionMismatch
    from harness.image.errors import BuildError, DescriptionError, ImageError
    from harness.machine.errors import MachineError, ToolMissing
    from harness.maps.library import UnknownMap
    from harness.maps.syntax import MapSyntaxError

    try:
        yield
    except ToolMissing:
        raise  # decided on where a test is run
    except (
        *(BuildError, DescriptionError, DescriptionMismatch, FileNotFoundError, ImageError),
        *(MachineError, MapSyntaxError, UnknownMap),
    ) as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
