"""Files of campaigns that are damaged: a sentence, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from harness.fuzz.case import Case
from harness.fuzz.case_file import CaseError, case_text, load_case
from harness.fuzz.corpus import seeds
from harness.fuzz.possible import why_impossible
from harness.fuzz.store import Counts, Kept, StoreError, open_store
from harness.image.kernel_image import KernelImage
from harness.machine.shape import BootInformationShape
from harness.machine.spec import Module
from harness.workload.operation import Kind, operation, operations

MEMORY = 64 << 20
TRIES = 500
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1 << 31, 1 << 32, 1 << 64, -(1 << 70), 1.5, 1e300),
    *("", "x", "\n", "\0", "🦊", [], [[]], {}, [1, 2], "AAAA"),
)


def torn(text: str, random: Random) -> bytes:
    """Return bytes of a file that something happened to."""
    data = bytearray(text.encode())
    for _ in range(random.choice((1, 1, 2, 8))):
        at = random.randrange(len(data))
        way = random.randrange(4)
        if way == 0:
            data[at] = random.randrange(256)
        elif way == 1:
            del data[at : at + random.randint(1, 40)]
        elif way == 2:
            data[at:at] = bytes(random.choices(b'0123456789-.eE[]{}",:ntf\\', k=3))
        else:
            del data[at:]
        if not data:
            return b""
    return bytes(data)


def changed(value: Any, random: Random) -> Any:
    """Return JSON values of which one is another than it should be."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(sorted(value))
        return {**value, key: changed(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.9:
        at = random.randrange(len(value))
        return [*value[:at], changed(value[at], random), *value[at + 1 :]]
    return random.choice(ODD_VALUES)


@pytest.fixture(scope="module")
def full(kernel: KernelImage) -> str:
    """The text of a case that has everything."""
    case = Case(
        MEMORY,
        seeds(kernel, MEMORY)[3].map,
        append="heap=malloc",
        modules=(Module(b"contents", "one"), Module(b"", "two")),
        shape=BootInformationShape(
            entry_sizes=(20, 24),
            map_length=40,
            map_address=0x70000,
            module_addresses=(0x300000, None),
            memory_upper=1000,
        ),
        steps=(operation(Kind.FRAMES_ALLOC, 1, 2), operation(Kind.FRAMES_FREE, 1, 2)),
    )
    assert why_impossible(case.spec(kernel)) is None
    return case_text(case, kernel, "a group")


def test_a_torn_case_is_said_to_be_one(full: str, kernel: KernelImage, tmp_path: Path) -> None:
    random, path, read = Random(1), tmp_path / "case.json", 0
    for _ in range(TRIES):
        path.write_bytes(torn(full, random))
        read += is_read(path, kernel)
    assert 0 < read < TRIES


def test_a_case_with_a_strange_value_is_said_to_be_one(
    full: str, kernel: KernelImage, tmp_path: Path
) -> None:
    random, path, read = Random(2), tmp_path / "case.json", 0
    for _ in range(TRIES):
        path.write_text(json.dumps(changed(json.loads(full), random)))
        read += is_read(path, kernel)
    assert 0 < read < TRIES


def is_read(path: Path, kernel: KernelImage) -> bool:
    """Return whether a file is a case; one that is must be a machine, or be impossible."""
    try:
        case = load_case(path).case
    except CaseError as error:
        said = str(error)
    else:
        why_impossible(case.spec(kernel))
        operations(case.steps)
        return True
    assert str(path) in said
    return False


@pytest.mark.parametrize("step", [(99, 0, 0, 1, 1), (1, 255, 0, 1, 1), (1, 0, 0, 1 << 31, 1)])
def test_steps_that_no_tape_holds_are_no_case(
    full: str, tmp_path: Path, step: tuple[int, ...]
) -> None:
    strange = json.loads(full)
    strange["case"]["steps"] = [step]
    (tmp_path / "case.json").write_text(json.dumps(strange))
    with pytest.raises(CaseError, match="step 0: "):
        load_case(tmp_path / "case.json")


def test_a_torn_campaign_is_said_to_be_one(kernel: KernelImage, tmp_path: Path) -> None:
    random = Random(3)
    counts, kept = Counts(kernel.digest, 0), Kept(seeds(kernel, MEMORY)[5], ("one", "two"))
    said: list[str] = []
    for name, value in (("campaign.json", counts), ("corpus/000000.json", kept)):
        text = msgspec.json.encode(value).decode()
        for index in range(TRIES):
            with open_store(tmp_path) as store:
                data = torn(text, random) if index % 2 else None
                strange = json.dumps(changed(json.loads(text), random)).encode()
                (tmp_path / name).write_bytes(strange if data is None else data)
                try:
                    store.counts()
                    list(store.corpus())
                except StoreError as error:
                    said.append(str(error))
        (tmp_path / name).unlink()
    assert len(said) > TRIES
    assert all(".json is damaged" in one or "this program reads 1" in one for one in said)
