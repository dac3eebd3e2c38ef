"""The command, as the tests of the command line run it."""

from tests.cli.conftest import harness, loaded

__all__ = ["harness", "loaded"]
