"""``who``: everything that is known of an address."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from harness.check.known import Fact
from harness.check.known_frames import known_physical
from harness.check.known_heaps import known_to_heaps
from harness.check.known_virtual import known_virtual, mappings_to, translated
from harness.check.observation import Observation
from harness.image.place import place_in_image
from harness.report.views.view import Answer, Parser, View, address_argument, address_of

Section = tuple[str, list[Fact]]


def _declare(parser: Parser) -> None:
    address_argument(parser)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("-p", "--physical", action="store_true", help="it is a physical address")
    kind.add_argument("-v", "--virtual", action="store_true", help="it is a virtual address")


def show_who(seen: Observation, options: Namespace) -> Answer:
    """Return what is known of an address, as a virtual and as a physical one."""
    address = address_of(seen, options.address)
    sections = list(_sections(seen, address, options.virtual, options.physical))
    lines = [line for heading, facts in sections for line in _lines(heading, facts)]
    json = [
        {"about": heading, "facts": [asdict(one) for one in facts]} for heading, facts in sections
    ]
    return Answer("\n".join(lines), json)


def _sections(
    seen: Observation, address: int, only_virtual: bool, only_physical: bool
) -> Iterator[Section]:
    walked = translated(seen, address)
    here = _is_physical(seen, address)
    if not only_physical and (only_virtual or walked.fault is None or not here):
        facts = [*known_virtual(seen, address), *known_to_heaps(seen.state, address)]
        yield f"virtual {address:#010x}", facts
        if walked.fault is None:
            yield f"behind it, physical {walked.physical:#010x}", _physical(seen, walked.physical)
    same = walked.fault is None and walked.physical == address
    if only_physical or (not only_virtual and here and not same):
        yield f"physical {address:#010x}", _physical(seen, address)


def _is_physical(seen: Observation, address: int) -> bool:
    """Return whether there is something at a physical address, by the map or in truth."""
    regions = seen.guest.memory_map.entries
    there = any(address in ram for ram in seen.guest.ram.ranges)
    return there or any(region.contains(address) for region in regions)


def _physical(seen: Observation, physical: int) -> list[Fact]:
    return [*known_physical(seen, physical), *_mappings(seen, physical), *_image(seen, physical)]


def _mappings(seen: Observation, physical: int) -> Iterator[Fact]:
    """Yield the mappings to an address, and what heaps say of each."""
    told: set[Fact] = set()
    found = list(mappings_to(seen, physical))
    for virtual, words in found:
        yield Fact("mapping", words if virtual < 0 else f"virtual 0x{virtual:x}, {words}")
    for virtual, _ in found:
        for fact in known_to_heaps(seen.state, virtual):
            if fact not in told:
                told.add(fact)
                yield fact
    if seen.tables.mode != "none" and not found:
        yield Fact("mapping", "none leads here")


def _image(seen: Observation, physical: int) -> Iterator[Fact]:
    """Yield what of the kernel's image the loader put at a physical address."""
    for segment in seen.kernel.segments:
        offset = physical - segment.physical
        if 0 <= offset < segment.memory_size:
            for topic, words in place_in_image(seen.kernel, segment.virtual + offset):
                yield Fact(topic, words)


def _lines(heading: str, facts: Iterable[Fact]) -> Iterator[str]:
    yield heading
    for fact in facts:
        yield f"  {fact.topic + ':':<16} {fact.words}"


WHO = View(
    name="who",
    summary="Tell everything that is known of an address.",
    details=(
        "Mappings from it and to it, rights, owner, free block, frame table, heap block, slab and\n"
        "object, record, page table, symbol, source line. Without -p and -v it is taken for both,\n"
        "where both make sense."
    ),
    show=show_who,
    declare=_declare,
    takes_address=True,
)
