from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.image.description import Description, load_description
from harness.image.elf import load_kernel
from tests.decode.memory import Loaded, load
from tests.image.compiler import compile_kernel

Loader = Callable[[str, str], Loaded]


@pytest.fixture(scope="package", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Loader:
    """Compile C source, describe it with TOML, and load it where paging is off."""

    def make(source: str, toml: str = "") -> Loaded:
        folder = tmp_path_factory.mktemp("image")
        path = compile_kernel(folder, source + "\nvoid _start(void) { for (;;); }", virtual=1 << 20)
        return load(replace(load_kernel(path), description=_description(folder, toml)))

    return make


def _description(folder: Path, toml: str) -> Description:
    (folder / "harness.toml").write_text('name = "test"\n' + toml)
    return load_description(folder / "harness.toml")
