"""What every suite that boots machines shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.image.build import build
from harness.image.description import bundled_description
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool

HIGHER_HALF = "higher-half"


@pytest.fixture(scope="session")
def kernel(request: pytest.FixtureRequest) -> KernelImage:
    """The bundled kernel, built once; several test processes wait for one another.

    Its layout is the default one, or that of ``tests.kernel.layouts.both_layouts``.
    """
    layout = getattr(request, "param", HIGHER_HALF)
    return build(bundled_description(), {} if layout == HIGHER_HALF else {"LAYOUT": layout})


@pytest.fixture(scope="session")
def identity_kernel() -> KernelImage:
    """The bundled kernel, linked where it is loaded."""
    return build(bundled_description(), {"LAYOUT": "identity"})


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """Warm machines for one test process."""
    with Pool() as warm:
        yield warm
