"""One test a machine: settings with several values become parameters, with readable ids."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.pytest_plugin.errors import explained
from harness.pytest_plugin.settings import (
    SETTINGS,
    Setting,
    alternatives,
    configured,
    marked,
)


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize each setting of which a marker, the flags or the ini file give several values.

    With one that has several, all that the markers say becomes part of the test's id. What they
    say of the kernel is always a parameter: that is how the session's ``kernel`` learns of it.
    """
    used = [one for one in SETTINGS if one.fixture in metafunc.fixturenames]
    if not used:
        return
    said = marked(metafunc.definition)
    values = {one: _values(metafunc, one, said) for one in used}
    several = any(len(found) > 1 for found in values.values())
    taken = _parametrized(metafunc)
    for setting, found in values.items():
        by_marker = setting.name in said and (several or setting.of_kernel)
        if setting.fixture not in taken and (by_marker or len(found) > 1):
            ids = [_identity(setting, one, index) for index, one in enumerate(found)]
            metafunc.parametrize(setting.fixture, found, ids=ids, indirect=True)


def _parametrized(metafunc: pytest.Metafunc) -> set[str]:
    """Return the arguments that the test parametrizes by itself."""
    taken: set[str] = set()
    for mark in metafunc.definition.iter_markers("parametrize"):
        names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        taken.update(
            name.strip() for name in (names.split(",") if isinstance(names, str) else names)
        )
    return taken


def _values(metafunc: pytest.Metafunc, setting: Setting, said: Mapping[str, Any]) -> list[Any]:
    """Return the values of a setting; a name that means several maps is replaced by them."""
    by_marker = setting.name in said
    value = said[setting.name] if by_marker else configured(metafunc.config, setting)
    values = alternatives(setting, value)
    folder = metafunc.definition.path.parent if by_marker else None
    if setting.name == "kernel" and folder is not None:
        return [str(folder / one) for one in values]
    if setting.name != "map":
        return values
    with explained():
        return [found for one in values for found in find_maps(metafunc.config, one, folder)]


def find_maps(config: pytest.Config, value: Any, folder: Path | None) -> list[Any]:
    """Return the maps that a value means: one that is a map already stays."""
    if not isinstance(value, str):
        return [value]
    from harness.maps.find import find_maps as find

    return list(find(value, f"map {value!r}", folder or config.invocation_params.dir))


def _kernel_name(path: Path) -> str:
    """Return the name of an ELF file, or of the folder in which the description is."""
    if path.suffix == ".toml":
        return path.parent.name
    return path.stem if path.suffix == ".elf" else path.name


def _identity(setting: Setting, value: Any, index: int) -> str:
    """Return a part of a test's id, such as ``64M``, ``ibm-calgary`` or ``direct``."""
    if setting.name == "map":
        return getattr(value, "name", None) or f"map{index}"
    if setting.switch:
        return setting.name if value else f"no-{setting.name}"
    if isinstance(value, Mapping):
        value = [f"{name}={text}" for name, text in value.items()]
    if isinstance(value, list):
        return ",".join(value) or f"default-{setting.name}"
    if setting.name == "kernel":
        return _kernel_name(Path(value).resolve())
    if setting.name == "memory" and isinstance(value, int):
        from harness.report.units import size

        return size(value)
    text = getattr(value, "value", value)
    return str(text) or f"no-{setting.name}"
