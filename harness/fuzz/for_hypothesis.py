"""What Hypothesis is told of machines when somebody imports it: a profile, and how to print them.

It calls :func:`register` by the package's entry point ``hypothesis``, so that nothing here costs
anybody who does not use it.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from datetime import timedelta
from typing import Any

from hypothesis import Phase, settings
from hypothesis.errors import InvalidArgument
from hypothesis.vendor.pretty import RepresentationPrinter, for_type_by_name

PROFILE = "machines"
HEX_FROM = 4096
"""Numbers from here on are sizes and addresses."""

_DEFAULTS = {
    "deadline": timedelta(milliseconds=200),
    "phases": tuple(Phase),
    "print_blob": False,
    "report_multiple_bugs": True,
}
"""What Hypothesis has of these settings in its own profile ``default``, as documented there."""

_PRINTED = {
    "harness.fuzz.case": ("Case",),
    "harness.machine.shape": ("BootInformationShape",),
    "harness.machine.spec": ("Fill", "MachineSpec", "Module"),
    "harness.maps.memory_map": ("MemoryMap",),
    "harness.maps.region": ("Region",),
}


def register() -> None:
    """Register the profile, unless somebody has one of that name, and the printers."""
    try:
        settings.get_profile(PROFILE)
    except InvalidArgument:
        settings.register_profile(
            PROFILE,
            # A process may have to start, on a busy host; each boot has a deadline of its own.
            deadline=None,
            # To explain a failure it traces each line of Python: ten times as slow.
            phases=[phase for phase in Phase if phase is not Phase.explain],
            print_blob=True,
            # The report is about the machine of the failing example: there must be one.
            report_multiple_bugs=False,
        )
    for module, names in _PRINTED.items():
        for name in names:
            for_type_by_name(module, name, _print_without_defaults)
    for_type_by_name("harness.image.kernel_image", "KernelImage", _print_name)


def fitting(given: settings) -> settings:
    """Return a test's settings, with the profile's for what is as Hypothesis has it by default."""
    register()  # nobody has, where the package is used without being installed
    profile = settings.get_profile(PROFILE)
    changed: dict[str, Any] = {
        name: getattr(profile, name)
        for name, default in _DEFAULTS.items()
        if getattr(given, name) == default
    }
    return settings(given, **changed)


def _print_without_defaults(value: Any, printer: RepresentationPrinter, cycle: bool) -> None:
    """Print the call that makes a dataclass, without what need not be said."""
    said = [field for field in fields(value) if getattr(value, field.name) != _default(field)]
    with printer.group(4, f"{type(value).__name__}(", ")"):
        for index, field in enumerate(said):
            if index:
                printer.text(",")
                printer.breakable()
            printer.text(f"{field.name}=")
            _print_value(getattr(value, field.name), printer)


def _print_value(value: Any, printer: RepresentationPrinter) -> None:
    if isinstance(value, int) and not isinstance(value, bool):
        printer.text(f"{value:#x}" if value >= HEX_FROM else f"{value:d}")
    else:
        printer.pretty(value)


def _default(field: Field[Any]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _print_name(value: object, printer: RepresentationPrinter, cycle: bool) -> None:
    """Print a kernel as the fixture is called: its contents are of no use on a screen."""
    printer.text("kernel")
