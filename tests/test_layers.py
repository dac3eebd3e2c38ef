"""The layers of ``harness/`` keep their order, and none knows a particular kernel."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from harness.image import description
from harness.image.kernel_image import KernelImage

HARNESS = Path(description.__file__).resolve().parents[1]
ORDER = (
    *(
        "maps",
        "image",
        "ram",
        "machine",
        "cover",
        "decode",
        "policy",
        "check",
        "workload",
        "report",
        "debug",
        "fuzz",
        "mutate",
    ),
    *("bench", "pytest_plugin", "cli"),
)
"""Ground floor first: a package imports only from those before it."""
STRANGERS = ({"image", "ram"}, {"machine", "decode"}, {"maps", "image"}, {"maps", "ram"})
"""Pairs of which neither knows the other."""

FILES = sorted(path for path in HARNESS.rglob("*.py") if path.parent != HARNESS)


def _package(path: Path) -> str:
    return path.relative_to(HARNESS).parts[0]


def _imported_packages(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Yield line and package of every import from within the harness, in functions too."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            names = [f"harness.{package}" if node.level == 1 else "harness.?"]
        elif isinstance(node, ast.ImportFrom):
            inner = [f"harness.{alias.name}" for alias in node.names]
            names = inner if node.module == "harness" else [node.module or ""]
        for name in names:
            if name.startswith("harness."):
                yield node.lineno, name.split(".")[1]  # type: ignore[attr-defined]


def _complaints(tree: ast.AST, package: str) -> list[str]:
    complaints = []
    for line, imported in _imported_packages(tree, package):
        if imported == package:
            continue
        if imported not in ORDER:
            complaints.append(f"{line}: {imported} has no place in the order")
        elif ORDER.index(imported) > ORDER.index(package):
            complaints.append(f"{line}: {package} imports {imported}, which comes after it")
        elif {package, imported} in STRANGERS:
            complaints.append(f"{line}: {package} and {imported} must not know each other")
    return complaints


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HARNESS)))
def test_a_package_imports_only_from_those_before_it(path: Path) -> None:
    assert _package(path) in ORDER
    assert _complaints(ast.parse(path.read_text()), _package(path)) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import harness.machine.pool",
        "from harness.check import model",
        "def f():\n    from harness.report import table",
        "from harness import cli",
        "from .. import machine",
        "from harness.machine.guest import Guest",
        "from harness.unheard_of import x",
    ],
)
def test_an_import_against_the_order_is_seen(statement: str) -> None:
    assert len(_complaints(ast.parse(statement), "decode")) == 1


@pytest.mark.parametrize(
    "statement", ["import ast", "from harness.ram import live", "from . import x"]
)
def test_an_import_along_the_order_is_not(statement: str) -> None:
    assert _complaints(ast.parse(statement), "decode") == []


def _literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and value of the strings that a program works with: all but docstrings."""
    bodies = (getattr(node, "body", None) for node in ast.walk(tree))
    statements = (s for body in bodies if isinstance(body, list) for s in body)
    texts = {id(s.value) for s in statements if isinstance(s, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            yield node.lineno, node.value


_SCHEMA = [path.stem for path in (HARNESS / "image" / "schema").glob("[a-z]*.py")]


def _schema_keys() -> set[str]:
    """Return the words of ``harness.toml``: the harness's own, whatever a kernel calls things."""
    modules = [importlib.import_module(f"harness.image.schema.{name}") for name in _SCHEMA]
    values = [value for module in (description, *modules) for value in vars(module).values()]
    tables = [value for value in values if dataclasses.is_dataclass(value)]
    return {field.name for table in tables for field in dataclasses.fields(table)}


FIELD_TERMS = {"entry", "heap", "free", "kmalloc", "malloc"}
"""Words that the harness uses in their general sense, such as an entry of a page table."""


def _names_in(tree: ast.AST, known: set[str]) -> list[str]:
    """Return where a kernel's names stand in strings.

    A name made of several words counts wherever it stands, also within a C expression; one that
    is a single lower-case word might be English, so it counts only when it is the whole string.
    """
    found = []
    for line, text in _literals(tree):
        words = set(re.findall(r"[A-Za-z_]\w*", text)) & known
        found += [
            f"{line}: {word}"
            for word in sorted(words)
            if word == text or not re.fullmatch(r"[a-z]+", word)
        ]
    return found


@cache
def _global_symbols(image: Path) -> frozenset[str]:
    command = ["nm", "-g", "--format=just-symbols", str(image)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return frozenset(said.stdout.split())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HARNESS)))
def test_no_file_names_a_symbol_of_the_bundled_kernel(path: Path, kernel: KernelImage) -> None:
    known = set(_global_symbols(kernel.path)) - _schema_keys() - FIELD_TERMS
    assert len(known) > 50
    assert _names_in(ast.parse(path.read_text()), known) == []


def test_a_symbol_s_name_is_seen() -> None:
    known = {"mem_map", "bootmem", "zones"}
    text = '"""The bootmem."""\nx = "mem_map[0].flags"\ny = "bootmem"\nz = f"the bootmem {x}"'
    assert _names_in(ast.parse(text), known) == ["2: mem_map", "3: bootmem"]
