"""What the tables of one description must agree on, each complaint at its file and line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from harness.image.c_type import CType
from harness.image.declared_types import LARGEST, BadType, declared_structures, member_type
from harness.image.errors import UnknownName
from harness.image.schema.frames import FreeLists
from harness.image.schema.running import Monitor
from harness.image.schema.types import DeclaredMember
from harness.image.toml_table import TableReader, Where

if TYPE_CHECKING:
    from harness.image.description import Description


def check_consistency(reader: TableReader, description: Description) -> None:
    """Raise :class:`DescriptionError` for the first thing on which two tables do not agree."""
    for check in (
        _check_build,
        _check_patterns,
        _check_zones,
        _check_types,
        _check_presets,
        _check_coverage,
        _check_moments,
        _check_firmware_map,
        _check_metadata,
        _check_free_lists,
        _check_pair_maps,
        _check_subblock_heaps,
        _check_header_chains,
    ):
        check(reader, description)


def _check_build(reader: TableReader, description: Description) -> None:
    build = description.build
    if build is not None and build.variables and not build.command:
        raise reader.error(("build", "variables"), "there is no command to set them in")


def _check_patterns(reader: TableReader, description: Description) -> None:
    monitor = description.monitor
    if monitor is None:
        return
    for placeholder in ("{tag}", "{command}"):
        if placeholder not in monitor.request:
            raise reader.error(("monitor", "request"), f"needs {placeholder}")
    if "{tag}" not in monitor.answer:
        raise reader.error(("monitor", "answer"), "needs {tag}")
    try:
        groups = re.compile(monitor.answer.replace("{tag}", "0")).groupindex
    except re.error as error:
        message = f"not a regular expression: {error}"
        raise reader.error(("monitor", "answer"), message) from None
    if "status" not in groups:
        raise reader.error(("monitor", "answer"), "needs a group (?P<status>…)")
    _check_commands(reader, monitor)


def _check_commands(reader: TableReader, monitor: Monitor) -> None:
    names = [command.name for command in monitor.commands]
    for index, command in enumerate(monitor.commands):
        complaint = command.complaint()
        if names.index(command.name) != index:
            complaint = f"there is a command {command.name!r} already"
        if complaint:
            raise reader.error(("monitor", "commands", index), complaint)


def _check_zones(reader: TableReader, description: Description) -> None:
    previous = 0
    for index, zone in enumerate(description.zones):
        if zone.end <= previous:
            where: Where = ("zones", index, "end")
            raise reader.error(where, f"0x{zone.end:x} does not lie behind 0x{previous:x}")
        previous = zone.end


def _check_types(reader: TableReader, description: Description) -> None:
    structures = declared_structures(description.types)
    complete: dict[str, CType] = {}
    for index, one in enumerate(description.types):
        where: Where = ("types", index)
        if not re.fullmatch(r"struct [A-Za-z_]\w*", one.name):
            raise reader.error((*where, "name"), "is not of the form 'struct page'")
        if one.name in complete:
            raise reader.error((*where, "name"), f"there is a {one.name} already")
        if not 0 < one.size <= LARGEST:
            raise reader.error((*where, "size"), f"is not between 1 and {LARGEST}")
        for name, member in one.members.items():
            problem = _member_problem(member, one.size, structures, complete)
            if problem:
                raise reader.error((*where, "members", name), problem)
        complete[one.name] = structures[one.name]


def _member_problem(
    member: DeclaredMember,
    room: int,
    structures: Mapping[str, CType],
    complete: Mapping[str, CType],
) -> str | None:
    """Return what is wrong with a member of a structure of ``room`` bytes.

    ``structures`` are those that it may point to, ``complete`` those that it may hold.
    """
    pointed = "*" in member.type
    try:
        size = member_type(member.type, structures if pointed else complete).size
    except UnknownName as error:
        if error.name in structures:
            return f"cannot hold a {error.name}, which is not declared above; it may point to one"
        return str(error)
    except BadType as error:
        return str(error)
    if member.offset + size > room:
        return f"its {size} bytes at offset {member.offset} end beyond the structure's {room}"
    return None


def _check_moments(reader: TableReader, description: Description) -> None:
    where: Where
    moments = {"ready", *description.moments}
    for kind in ("bitmaps", "bumps"):
        for index, allocator in enumerate(getattr(description, kind)):
            if allocator.moment not in moments:
                known = ", ".join(sorted(moments))
                where = (kind, index, "moment")
                raise reader.error(where, f"no moment {allocator.moment!r}; there are {known}")
    if "ready" in description.moments:
        raise reader.error(("moments", "ready"), "this name is taken by [console] ready")


def _check_firmware_map(reader: TableReader, description: Description) -> None:
    firmware = description.firmware_map
    table = (firmware.array, firmware.count, firmware.start, firmware.end, firmware.usable)
    if None in table and any(table):
        raise reader.error(("firmware_map",), "array needs count, start, end and usable")
    if firmware.below is not None and firmware.below <= (firmware.above or 0):
        raise reader.error(("firmware_map", "below"), "does not lie behind above: nothing is left")


def _check_metadata(reader: TableReader, description: Description) -> None:
    for index, area in enumerate(description.metadata):
        run = area.start is not None and area.length is not None
        chain = area.chain is not None and area.next is not None
        if run == chain:
            raise reader.error(("metadata", index), "needs start and length, or chain and next")
    records = {area.name for area in description.metadata}
    for index, bitmap in enumerate(description.bitmaps):
        if bitmap.metadata not in {None, *records}:
            where: Where = ("bitmaps", index, "metadata")
            raise reader.error(where, f"no [[metadata]] named {bitmap.metadata!r}")


def _check_header_chains(reader: TableReader, description: Description) -> None:
    for index, chain in enumerate(description.header_chains):
        if chain.next is None and chain.end is None:
            message = "needs next, the member that links, or end, up to which headers follow"
            raise reader.error(("header_chains", index), message)


_CHUNK = 4096
"""Bytes of a page, of which blocks of sub-blocks are made."""


def _check_subblock_heaps(reader: TableReader, description: Description) -> None:
    for index, heap in enumerate(description.subblock_heaps):
        if not heap.subblock or _CHUNK % heap.subblock:
            where: Where = ("subblock_heaps", index, "subblock")
            raise reader.error(where, f"{_CHUNK} is no multiple of {heap.subblock}")


def _check_free_lists(reader: TableReader, description: Description) -> None:
    for index, lists in enumerate(description.free_lists):
        if lists.links == "physical":
            _check_physical_links(reader, index, lists)
        elif lists.nodes == "frame_table" and description.frame_table is None:
            raise reader.error(("free_lists", index, "nodes"), "there is no [frame_table]")


def _check_pair_maps(reader: TableReader, description: Description) -> None:
    for index, pairs in enumerate(description.pair_maps):
        if pairs.name not in {lists.name for lists in description.free_lists}:
            raise reader.error(("pair_maps", index, "name"), "no [[free_lists]] has this name")
        if (pairs.managed is None) != (pairs.managed_bits is None):
            raise reader.error(("pair_maps", index), "managed and managed_bits go together")


def _check_physical_links(reader: TableReader, index: int, lists: FreeLists) -> None:
    if lists.nodes != "block" or lists.style != "null":
        message = 'physical links need nodes = "block" and style = "null"'
        raise reader.error(("free_lists", index, "links"), message)
    if lists.node is None:
        raise reader.error(("free_lists", index, "links"), "physical links need node, a C type")


def _check_presets(reader: TableReader, description: Description) -> None:
    names = [preset.name for preset in description.presets]
    for index, preset in enumerate(description.presets):
        if names.index(preset.name) != index:
            where: Where = ("presets", index, "name")
            raise reader.error(where, f"there is a preset {preset.name!r} already")
        _check_settable(reader, description, ("presets", index, "variables"), preset.variables)


def _check_coverage(reader: TableReader, description: Description) -> None:
    if description.coverage is not None:
        where = ("coverage", "variables")
        _check_settable(reader, description, where, description.coverage.variables)


def _check_settable(
    reader: TableReader, description: Description, where: Where, variables: Iterable[str]
) -> None:
    settable = description.build.variables if description.build else ()
    for name in variables:
        if name not in settable:
            known = ", ".join(settable) or "none"
            raise reader.error((*where, name), f"is not among [build] variables ({known})")
