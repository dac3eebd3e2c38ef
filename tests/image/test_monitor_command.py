"""Commands of a monitor as functions: how their lines are made, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.image.description import load_description
from harness.image.errors import DescriptionError
from harness.image.monitor_command import Argument, MonitorCommand


@pytest.mark.parametrize(
    ("request_", "arguments", "line"),
    [
        ("frames", {}, "frames"),
        ("alloc {order}", {"order": 3}, "alloc 3"),
        ("free {physical:x}", {"physical": 0x1234000}, "free 0x1234000"),
        ("free {physical:x}", {"physical": "0x1234000"}, "free 0x1234000"),
        ("alloc {order}[ {zone}]", {"order": 0}, "alloc 0"),
        ("alloc {order}[ {zone}]", {"order": 0, "zone": None}, "alloc 0"),
        ("alloc {order}[ {zone}]", {"order": 0, "zone": "dma"}, "alloc 0 dma"),
        ("alloc[ at={place:x}] {order}", {"place": 16, "order": 1}, "alloc at=0x10 1"),
        ("alloc[ at={place:x}] {order}", {"order": 1}, "alloc 1"),
    ],
)
def test_a_line_is_made_of_arguments(
    request_: str, arguments: dict[str, Argument], line: str
) -> None:
    command = MonitorCommand("name", request_)
    assert command.complaint() is None
    assert command.line(arguments) == line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "alloc(*, order, zone=None): missing a required"),
        ({"ordr": 3, "order": 3}, "'ordr'"),
        ({"order": 1.5}, "order is a number or a word, not 1.5"),
        ({"order": ""}, "order is a number or a word"),
        ({"order": "1\nfree 0"}, "order is a number or a word"),
    ],
)
def test_wrong_arguments_are_a_type_error(arguments: dict[str, Argument], words: str) -> None:
    with pytest.raises(TypeError, match=re.escape(words)):
        MonitorCommand("alloc", "alloc {order}[ {zone}]").line(arguments)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "a b"\nrequest = "a"', "'a b' is no name for a function"),
        ('name = "require"\nrequest = "a"', "'require' is no name for a function"),
        ('name = "for"\nrequest = "a"', "'for' is no name for a function"),
        ('name = "a"\nrequest = "a {order} {order}"', "'order' is no name for one argument"),
        ('name = "a"\nrequest = "a {global}"', "'global' is no name for one argument"),
        ('name = "a"\nrequest = "a {order!r}"', "no {argument} and no {argument:x}"),
        ('name = "a"\nrequest = "a {order.__class__}"', "no {argument} and no {argument:x}"),
        ('name = "a"\nrequest = "a {}"', "no {argument} and no {argument:x}"),
        ('name = "a"\nrequest = "a [zero]"', "'[zero]' must have one {argument}"),
        ('name = "a"\nrequest = "a [{b}{c}]"', "must have one {argument}"),
        ('name = "a"\nrequest = "a [{b}"', "has a '[' without its partner"),
        ('name = "a"\nrequest = "a\\nb"', "one printable line"),
        ('name = "a"\nrequest = "a"\nvalue = \'(x)\'', "value needs a group (?P<value>"),
        ('name = "a"\nrequest = "a"\nvalue = "("', "not a regular expression"),
    ],
)
def test_a_command_that_cannot_be_is_refused_at_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "harness.toml"
    monitor = "[monitor]\nprompt = '>'\nrequest = '{tag} {command}'\n"
    path.write_text(f"{monitor}answer = '{{tag}} (?P<status>.)'\n[[monitor.commands]]\n{text}\n")
    with pytest.raises(DescriptionError, match=re.escape(words)) as caught:
        load_description(path)
    assert re.match(rf"{re.escape(str(path))}:[5-8]: ", str(caught.value))


def test_one_name_is_one_command(tmp_path: Path) -> None:
    path = tmp_path / "harness.toml"
    one = '[[monitor.commands]]\nname = "a"\nrequest = "a"\n'
    monitor = "[monitor]\nprompt = '>'\nrequest = '{tag} {command}'\n"
    path.write_text(f"{monitor}answer = '{{tag}} (?P<status>.)'\n{one}{one}")
    with pytest.raises(DescriptionError, match=r":8: .*there is a command 'a' already"):
        load_description(path)
