"""Tests with Hypothesis's ``@given``: each example has machines of its own, and only the last.

Hypothesis runs a test's function again and again while its fixtures stay. So what is a test's
elsewhere is an example's here: guests are given back when the next example begins, and a report is
about the example that Hypothesis runs last, the smallest that fails.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeGuard

import pytest

from harness.pytest_plugin import fixtures
from harness.pytest_plugin.current import forget_guests

if TYPE_CHECKING:
    from hypothesis import settings

MACHINES = ("boot", "machine", "pool")
"""Fixtures whose users have machines."""
_ONCE = "guest"
"""The fixture that is not as good as new for each example: it has been booted."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Make a test with ``@given`` and machines ready for Hypothesis, before its plugin looks."""
    if not _is_given(item):
        return (yield)
    with contextlib.ExitStack() as stack:
        kernel: Any = item.funcargs.get("kernel")
        if kernel is not None:
            from harness.fuzz.strategies import kernel_under_test

            stack.enter_context(kernel_under_test(kernel))
        if any(name in item.funcargs for name in MACHINES):
            stack.enter_context(_settings_that_fit(item))
            stack.enter_context(_examples_apart(item))
        return (yield)


def _is_given(item: pytest.Item) -> TypeGuard[pytest.Function]:
    hypothesis = sys.modules.get("hypothesis")
    return (
        hypothesis is not None
        and isinstance(item, pytest.Function)
        and hypothesis.is_hypothesis_test(item.obj)
    )


def in_example() -> bool:
    """Return whether a test with ``@given`` is running."""
    hypothesis = sys.modules.get("hypothesis")
    return hypothesis is not None and hypothesis.currently_in_test_context()


@contextlib.contextmanager
def _settings_that_fit(item: pytest.Function) -> Iterator[None]:
    """Put in place of what Hypothesis has by default what the profile for machines has."""
    from hypothesis import HealthCheck

    from harness.fuzz.for_hypothesis import fitting

    function = getattr(item.obj, "__func__", item.obj)
    given: settings = function._hypothesis_internal_use_settings
    settings_here = fitting(given)
    if _only_safe_fixtures(item):
        silenced = {*given.suppress_health_check, HealthCheck.function_scoped_fixture}
        settings_here = type(given)(settings_here, suppress_health_check=silenced)
    function._hypothesis_internal_use_settings = settings_here
    try:
        yield
    finally:
        function._hypothesis_internal_use_settings = given


def _only_safe_fixtures(item: pytest.Function) -> bool:
    """Return whether all of the test's own fixtures stay as good as new from example to example.

    Those are this plugin's, but the guest, and those that live longer than a test.
    """
    # pytest has no public way to a test's fixtures. Parameters are none, unless of that name.
    manager = item.session._fixturemanager
    known = manager.getfixtureinfo(node=item, func=item.function, cls=None)
    definitions = [found[-1] for found in known.name2fixturedefs.values()]
    return all(
        one.scope != "function" or (_ours(one.func) and one.argname != _ONCE)
        for one in definitions
        if one.argname in known.argnames
    )


def _ours(function: Callable[..., Any]) -> bool:
    return function.__module__ == fixtures.__name__


@contextlib.contextmanager
def _examples_apart(item: pytest.Function) -> Iterator[None]:
    """Have each example begin without machines.

    ``hypothesis.inner_test`` is what Hypothesis has for runners of tests, as of asynchronous ones.
    """
    handle = item.obj.hypothesis
    test = handle.inner_test
    warm: Any = item.funcargs.get("_mm_machines")

    @functools.wraps(test)
    def example(*arguments: Any, **named: Any) -> Any:
        __tracebackhide__ = True
        forget_guests(item)
        if warm is not None:
            warm.give_back()
        return test(*arguments, **named)

    handle.inner_test = example
    try:
        yield
    finally:
        handle.inner_test = test
