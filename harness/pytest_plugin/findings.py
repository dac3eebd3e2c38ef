"""Findings of campaigns as tests: ``pytest campaign/findings``.

The folder of each has a ``test_finding.py``. They may all have that one name, and run with the
kernel that they were found with as long as nobody names another. A kernel that cannot carry out a
case's operations is no test of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.pytest_plugin.settings import BY_NAME, MARKER, configured
from harness.pytest_plugin.support import unsupported

TEST = "test_finding.py"
CASE = "case.json"
_BRING_BACK = "bring it back, or remove its folder"


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """Collect the test of a finding by what is said above."""
    if module_path.name == TEST and module_path.with_name(CASE).is_file():
        return FindingModule.from_parent(parent, path=module_path)
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Skip the test of a finding whose case asks more than its kernel can do."""
    if pyfuncitem.getparent(FindingModule) is None:
        return
    from harness.fuzz.carries_out import why_not_carried_out
    from harness.fuzz.case_file import CaseError, load_case
    from harness.image.kernel_image import KernelImage

    kernel = pyfuncitem.funcargs.get("kernel")
    if not isinstance(kernel, KernelImage):
        return
    try:
        case = load_case(pyfuncitem.path.with_name(CASE), _BRING_BACK).case
    except CaseError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    if (why := why_not_carried_out(case, kernel)) is not None:
        unsupported(pyfuncitem.config, why)


class FindingModule(pytest.Module):
    """The test beside a case."""

    def _getobj(self) -> Any:
        """Import the file in the way that lets several have one name.

        pytest has a public way to choose that for all files only.
        """
        options = self.config.option
        chosen, options.importmode = options.importmode, "importlib"
        try:
            return super()._getobj()  # type: ignore[no-untyped-call]
        finally:
            options.importmode = chosen

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Yield the tests, for the case's kernel."""
        if said := self._kernel():
            self.add_marker(getattr(pytest.mark, MARKER)(**said))
        yield from super().collect()

    def _kernel(self) -> dict[str, Any]:
        """Return what the marker has to say of the kernel: what neither flags nor files do."""
        from harness.fuzz.case_file import CaseError, load_case
        from harness.pytest_plugin.kernels import kernel_path

        if configured(self.config, BY_NAME["kernel"]) or kernel_path(self.config, None):
            return {}
        case = self.path.with_name(CASE)
        try:
            kernel = load_case(case, _BRING_BACK).kernel
        except CaseError as error:
            raise self.CollectError(str(error)) from None
        if not Path(kernel.path).exists():
            raise self.CollectError(
                f"{case}: its kernel is not at {kernel.path} any more: give --mm-kernel"
            )
        said = {"kernel": kernel.path, "build": kernel.variables}
        if configured(self.config, BY_NAME["build"]):
            del said["build"]
        return {name: value for name, value in said.items() if value}
