"""What this host or this kernel cannot do: a skip with the reason, or under strict an error."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import NoReturn

import pytest

from harness.pytest_plugin.given import in_example
from harness.pytest_plugin.options import strict


def unsupported(config: pytest.Config, reason: str) -> NoReturn:
    """End the test with ``reason``; a skip is listed with the test's place, not with this one."""
    if strict(config):
        message = f"not supported, and strict: {reason}"
        raise pytest.fail.Exception(message, pytrace=False) from None
    raise pytest.skip.Exception(reason, _use_item_location=True) from None


def not_for_this_kernel(config: pytest.Config, reason: str) -> NoReturn:
    """End what is run on a machine that its kernel cannot manage: the test, or one example."""
    if in_example():
        from hypothesis import reject

        reject()
    unsupported(config, reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """See what a fixture misses."""
    return (yield from _skipping(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """See what a test misses."""
    return (yield from _skipping(item))


def _skipping(item: pytest.Item) -> Generator[None]:
    try:
        return (yield)
    except _missing() as error:
        unsupported(item.config, str(error))


def _missing() -> tuple[type[BaseException], ...]:
    """Return the error for a program that is not installed, if somebody can have raised it."""
    errors = sys.modules.get("harness.machine.errors")
    return (errors.ToolMissing,) if errors else ()
