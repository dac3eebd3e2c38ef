"""The fixtures: a kernel, a machine, its guest, and one for each setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from harness.pytest_plugin.settings import BY_NAME, OBJECTS, SETTINGS, configured, marked

if TYPE_CHECKING:
    from harness.debug.guest import DebuggedGuest
    from harness.image.kernel_image import KernelImage
    from harness.machine.pool import Pool
    from harness.pytest_plugin.kernels import Kernels
    from harness.pytest_plugin.machine import MachineUnderTest
    from harness.pytest_plugin.warm import WarmMachines

Boot = Callable[..., "DebuggedGuest"]


def _setting(name: str) -> Any:
    """Make the fixture of a setting: a parameter, or else the marker, the flag, the ini file."""
    setting = BY_NAME[name]

    def value(request: pytest.FixtureRequest) -> Any:
        if hasattr(request, "param"):
            return request.param
        said = {} if setting.of_kernel else marked(request.node)
        return said[name] if name in said else configured(request.config, setting)

    value.__doc__ = f"The test's {setting.flag}: {setting.help}."
    return pytest.fixture(scope=setting.scope, name=setting.fixture)(value)


mm_kernel = _setting("kernel")
mm_build = _setting("build")
mm_preset = _setting("preset")
mm_memory = _setting("memory")
mm_map = _setting("map")
mm_exact = _setting("exact")
mm_boot = _setting("boot")
mm_cpu = _setting("cpu")
mm_fill = _setting("fill")
mm_append = _setting("append")
mm_icount = _setting("icount")


@pytest.fixture(scope="session")
def _mm_kernels(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    """What has been built so far."""
    from harness.pytest_plugin.kernels import Kernels, shared_folder

    return Kernels(shared_folder(pytestconfig, tmp_path_factory.getbasetemp()))


@pytest.fixture(scope="session")
def kernel(
    pytestconfig: pytest.Config, _mm_kernels: Kernels, mm_kernel: Any, mm_build: Any, mm_preset: Any
) -> KernelImage:
    """The kernel under test, built once in a run, by whichever process needs it first."""
    from harness.image.find import describe
    from harness.pytest_plugin.errors import explained
    from harness.pytest_plugin.kernels import build_variables, kernel_path
    from harness.pytest_plugin.spec import find_preset, single

    with explained():
        path = kernel_path(pytestconfig, single("kernel", mm_kernel))
        preset = find_preset(describe(path), single("preset", mm_preset))
        variables = {**(preset.variables if preset else {}), **build_variables(mm_build)}
        return _mm_kernels.get(path, variables)


@pytest.fixture(scope="session")
def _mm_machines(pytestconfig: pytest.Config) -> Iterator[WarmMachines]:
    """Machines that are kept for their next boot."""
    from harness.pytest_plugin.warm import WarmMachines

    with WarmMachines(pytestconfig) as warm:
        yield warm


@pytest.fixture(scope="session")
def pool(pytestconfig: pytest.Config) -> Iterator[Pool]:
    """Warm machines for what takes a pool, such as ``verify(spec, pool)``."""
    from harness.pytest_plugin.warm import NotedPool

    with NotedPool(pytestconfig) as warm:
        yield warm


@pytest.fixture
def machine(
    request: pytest.FixtureRequest,
    kernel: KernelImage,
    _mm_machines: WarmMachines,
    mm_preset: Any,
    mm_memory: Any,
    mm_map: Any,
    mm_exact: Any,
    mm_boot: Any,
    mm_cpu: Any,
    mm_fill: Any,
    mm_append: Any,
    mm_icount: Any,
) -> Iterator[MachineUnderTest]:
    """The machine that ``@pytest.mark.machine`` and the settings describe."""
    from harness.pytest_plugin.machine import MachineUnderTest

    values = (mm_preset, mm_memory, mm_map, mm_exact, mm_boot, mm_cpu, mm_fill, mm_append)
    said = dict(zip(_MACHINE, (*values, mm_icount), strict=True))
    objects = {name: value for name, value in marked(request.node).items() if name in OBJECTS}
    yield MachineUnderTest(request, kernel, {**said, **objects}, _mm_machines)
    _mm_machines.give_back()


_MACHINE = [one.name for one in SETTINGS if not one.of_kernel or one.name == "preset"]


@pytest.fixture
def boot(machine: MachineUnderTest) -> Boot:
    """A function that boots the test's machine, with changes, until its kernel is ready."""
    return machine.boot_ready


@pytest.fixture
def guest(machine: MachineUnderTest) -> DebuggedGuest:
    """A fresh guest, ready at its prompt."""
    return machine.boot_ready()
