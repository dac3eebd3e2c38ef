"""The pages about descriptions: every table and key of the schema, and examples that are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.image.description import load_description
from harness.image.schema.frames import Bitmap
from tests.docs import reference
from tests.reader import TOP

EXAMPLES = re.findall(
    r"```toml\n(.*?)```", (TOP / "docs" / "description.md").read_text(), re.DOTALL
)


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_a_description(example: str, tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text(example)
    load_description(tmp_path / "harness.toml")


def test_the_page_is_up_to_date() -> None:
    written = (TOP / "docs" / "keys.md").read_text()
    assert written == reference.page(), "python -m tests.docs.reference > docs/keys.md"


def test_each_key_says_what_it_means() -> None:
    rows = re.findall(r"^\| `.*\|$", reference.page(), re.MULTILINE)
    assert len(rows) > 200
    silent = [row for row in rows if row.endswith("|  |")]
    assert silent == []
    assert all(f"| `{key}` |" in reference.page() for key in Bitmap.__dataclass_fields__)


def test_each_table_has_its_header() -> None:
    headers = re.findall(r"^## `(.*)`$", reference.page(), re.MULTILINE)
    wanted = {"[build]", "[[bitmaps]]", "[[page_tables.linear]]", "[types.members.NAME]"}
    assert wanted <= set(headers)
