from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.compiler import compile_kernel


@pytest.fixture(scope="package", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def small_kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ELF of a kernel with two functions, data and .bss, linked to the higher half."""
    source = """
    unsigned counter = 7;
    unsigned char buffer[8192];
    __attribute__((noinline)) int twice(int x)
    {
        return x + x;
    }
    void _start(void)
    {
        counter = twice(counter);
        for (;;)
            buffer[0]++;
    }
    """
    return compile_kernel(tmp_path_factory.mktemp("kernel"), source)
