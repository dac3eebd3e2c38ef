"""The pytest plugin: machines as fixtures, and failures that explain themselves.

Loaded in every pytest process of whoever has the package installed, so nothing here or in the
modules named below imports more than pytest before a test asks for a machine.
"""

from __future__ import annotations

pytest_plugins = (
    "harness.pytest_plugin.options",
    "harness.pytest_plugin.current",
    "harness.pytest_plugin.findings",
    "harness.pytest_plugin.fixtures",
    "harness.pytest_plugin.given",
    "harness.pytest_plugin.parametrize",
    "harness.pytest_plugin.support",
    "harness.pytest_plugin.failure",
    "harness.pytest_plugin.compare",
)
