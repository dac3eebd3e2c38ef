"""The command line's flags, the ini file's keys, and the marker."""

from __future__ import annotations

import pytest

from harness.pytest_plugin.settings import MARKER, SETTINGS, Setting

STRICT = "mm_strict"
ARTIFACTS = "mm_artifacts"
CORES = "mm_cores"
MOST_CORES = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add a flag and an ini key for each setting."""
    group = parser.getgroup("mm_harness", "memory managers on QEMU machines (mm-harness)")
    for setting in SETTINGS:
        _add_setting(parser, group, setting)
    group.addoption(
        "--mm-strict",
        dest=STRICT,
        action="store_true",
        default=None,
        help="what this host or kernel cannot do is an error; without it, a skip with the reason",
    )
    parser.addini(STRICT, "like --mm-strict", type="bool", default=False)
    group.addoption(
        "--mm-artifacts",
        dest=ARTIFACTS,
        metavar="DIR",
        default=None,
        help="where each failed test leaves a folder: console, spec, command line, core, report; "
        "without it, below pytest's base temporary folder",
    )
    parser.addini(ARTIFACTS, "like --mm-artifacts", default="")
    group.addoption(
        "--mm-cores",
        dest=CORES,
        metavar="N",
        type=int,
        default=None,
        help=f"how many failures of one process leave an ELF core; {MOST_CORES} by default",
    )
    parser.addini(CORES, "like --mm-cores", default=str(MOST_CORES))


def _add_setting(parser: pytest.Parser, group: pytest.OptionGroup, setting: Setting) -> None:
    if setting.switch:
        group.addoption(
            setting.flag, dest=setting.fixture, action="store_true", default=None, help=setting.help
        )
        parser.addini(setting.fixture, setting.help, type="bool", default=False)
        return
    several = "repeatable" if setting.joined else "each test runs with every one that is given"
    group.addoption(
        setting.flag,
        dest=setting.fixture,
        action="append",
        default=None,
        metavar=setting.metavar,
        help=f"{setting.help} ({several})",
    )
    parser.addini(setting.fixture, setting.help, type="linelist", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the marker."""
    names = ", ".join(f"{setting.name}=…" for setting in SETTINGS)
    config.addinivalue_line(
        "markers",
        f"{MARKER}({names}): the machine that the fixtures machine, boot and guest are about; "
        "a list runs the test with each of its values; markers add up, the closest wins.",
    )


def strict(config: pytest.Config) -> bool:
    """Return whether what cannot be done is an error."""
    return bool(config.getoption(STRICT) or config.getini(STRICT))


def core_limit(config: pytest.Config) -> int:
    """Return how many ELF cores this process may leave."""
    flag = config.getoption(CORES)
    given = config.getini(CORES) if flag is None else flag
    try:
        return max(0, int(given))
    except ValueError:
        raise pytest.UsageError(f"{CORES} = {given}: a number is needed") from None
