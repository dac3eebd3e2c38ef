"""Chains of frames that lead out of memory, or on without an end."""

from __future__ import annotations

import pytest

from harness.check.faults import every_fault
from harness.decode import metadata
from harness.decode.decode import decode
from tests.decode.conftest import Loader
from tests.decode.memory import UNPAGED

SOURCE = """
struct record { struct record *next; char rest[4092]; };
struct record records[3] __attribute__((aligned(4096))) = {{records + 1}, {records + 2}};
struct record *first = records;
"""
TOML = '[[metadata]]\nname = "records"\nchain = "first"\nnext = "{}"\n'


def test_a_chain_into_nowhere(loader: Loader) -> None:
    program = loader(SOURCE, TOML.format("next"))
    program.ram.set_word(program.address("records"), 0xFEE00000)
    [fault] = every_fault(decode(program.ram, UNPAGED, program.kernel))
    assert fault.chain[-1] == 0xFEE00000


def test_a_chain_without_an_end(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way on is arithmetic, which no memory ends."""
    monkeypatch.setattr(metadata, "MAX_CHAIN", 100)
    program = loader(SOURCE, TOML.format("&next + 1"))
    [fault] = every_fault(decode(program.ram, UNPAGED, program.kernel))
    assert fault.message == "the chain has more than 100 records"
