"""A first description of a kernel, out of nothing but its ELF: TOML with comments.

What is likely stands as it is, what is only possible is commented out. The text can be read by
:func:`harness.image.description.load_description` at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from harness.image.draft.places import Place, places
from harness.image.draft.recognise import (
    Candidate,
    bitmaps,
    frame_tables,
    free_lists,
    header_chains,
    page_directories,
)
from harness.image.kernel_image import KernelImage
from harness.image.types import TypeTable

MOST = 12
"""Candidates of one kind that are written down; the likely ones come first."""

_HEAD = """\
# What the harness knows of this kernel. A first draft, out of its debug information: look
# through it. Expressions are C over guest memory, with the kernel's variables, types and
# enumerators."""

_BUILD = """\
[build]
image = {image} # relative to this file
# Let the harness build it: {{source}} is this file's folder, {{build}} one of the harness's choice,
# in which the image then lies; {{variables}} becomes NAME=VALUE of each of --build NAME=VALUE.
# command = ["make", "-C", "{{source}}", "O={{build}}", "{{variables}}"]
# variables = ["CC"]"""

_CONSOLE = """\
# Lines on the serial console by which it tells how it fares: regular expressions.
# [console]
# ready = '^ready'
# panic = '^panic: (?P<message>.*)$'

# The command line that it offers there, if it does.
# [monitor]
# prompt = '> '
# request = '{tag} {command}'
# answer = '^{tag} (?P<status>ok|error)(?: (?P<rest>.*))?$'"""

_PAGE_TABLES = """\
# The page tables are found by CR3. What must be mapped once the kernel is ready:
# [[page_tables.linear]]
# name = "direct map"
# virtual = {base:#x} # sums of symbols, enumerators and numbers
# end = {end:#x}
# frames = ["usable", "image"] # which of physical memory's frames, from 0 up"""

_NO_DWARF = """\
# The kernel has no debug information (build it with -g): nothing could be looked for. Its symbols
# suffice for raw offsets, such as
# [[bitmaps]]
# name = "frames"
# words = "*(uint32_t **)(symbol + 8)" # a pointer 8 bytes behind a symbol
# bits = "*(uint32_t *)(symbol + 12)"
# and for structures declared by hand:
# [[types]]
# name = "struct page"
# size = 8
# [types.members]
# flags = { offset = 0, type = "uint8_t" }
# next = { offset = 4, type = "struct page *" }
# [frame_table]
# array = "*(struct page **)symbol"
# count = "4096\""""

_NO_SYMBOLS = """\
# The kernel has no symbols (linked with -s, or stripped): only addresses can be named, such as
# [[bitmaps]]
# name = "frames"
# words = "(uint32_t *)0x110000"
# bits = "8192\""""

_KINDS = {
    "frame_table": "One element a frame. Also: free, reserved, users, order and zone over an "
    "element's members,\n# and [frame_table.owners].",
    "bitmaps": "One bit a frame. `taken` is what a bit says of a frame that is not free.",
    "free_lists": 'Lists of free blocks. `nodes` is "block" when the link is in the free block '
    'itself,\n# "frame_table" when it is in the frame table\'s element; `style` is "null" or '
    '"circular".',
    "header_chains": "Heaps of blocks with a header in front: `size` is that of the bytes behind "
    "it.",
}
_PLURAL = frozenset(["bitmaps", "free_lists", "header_chains"])


def draft(kernel: KernelImage, image: str) -> str:
    """Return the text of a description of ``kernel``, whose file is ``image`` relative to it."""
    name = re.sub(r"[^\w.-]", "_", kernel.path.stem) or "kernel"
    parts = [
        _HEAD,
        f"name = {_quoted(name)}",
        _BUILD.format(image=_quoted(image)),
        _CONSOLE,
        *_structures(kernel),
    ]
    return "\n\n".join(parts) + "\n"


def findings(kernel: KernelImage) -> str:
    """Return in one line what a draft of ``kernel`` is made of."""
    if not kernel.symbols:
        return "it has no symbols: only addresses can be named"
    if not kernel.types.variables:
        return "it has no debug information: symbols and raw offsets only"
    found = _candidates(places(kernel), kernel.types)
    likely = sum(one.likely for one in found)
    return f"{likely} structures that are likely, {len(found) - likely} that are possible"


def _structures(kernel: KernelImage) -> Iterator[str]:
    if not kernel.symbols:
        yield _NO_SYMBOLS
        return
    found = places(kernel)
    yield _page_tables(kernel, found)
    if not kernel.types.variables:
        yield _NO_DWARF
        return
    candidates = _candidates(found, kernel.types)
    for kind, help_ in _KINDS.items():
        own = [one for one in candidates if one.kind == kind]
        yield "\n".join([f"# {help_}", *_entries(own)])


def _candidates(found: Sequence[Place], types: TypeTable) -> list[Candidate]:
    """Return what is written down, the likely ones of each kind first."""
    tables = _first(frame_tables(found, types))
    return [
        *tables,
        *_first(bitmaps(found, types)),
        *_first(free_lists(found, tables)),
        *_first(header_chains(found)),
    ]


def _first(found: Iterable[Candidate]) -> list[Candidate]:
    weight = {True: 100, False: 0}
    return sorted(found, key=lambda one: -weight[one.likely] - len(one.values) - len(one.hints))[
        :MOST
    ]


def _entries(found: Sequence[Candidate]) -> Iterator[str]:
    if not found:
        yield "# None was found."
    for index, one in enumerate(found):
        # There is one frame table at most.
        yield from _entry(one, one.likely and not (one.kind == "frame_table" and index))


def _entry(one: Candidate, active: bool) -> Iterator[str]:
    mark = "" if active else "# "
    header = f"[[{one.kind}]]" if one.kind in _PLURAL else f"[{one.kind}]"
    yield f"{mark}{header} # {_printable(one.why)}"
    for key, value in one.values.items():
        yield f"{mark}{key} = {value if isinstance(value, int) else _quoted(value)}"
    for key, text in one.hints.items():
        yield f"# {key} = {_quoted(text)}"


def _page_tables(kernel: KernelImage, found: Sequence[Place]) -> str:
    lowest = min(kernel.segments, key=lambda segment: segment.physical)
    base = max(lowest.virtual - lowest.physical, 0)
    text = _PAGE_TABLES.format(base=base, end=(base + (16 << 20)) % (1 << 32))
    roots = [f"# root = {_quoted(place.expression)}" for place in page_directories(found)][:MOST]
    if roots:
        text += "\n# Or by a variable of the kernel's:\n# [page_tables]\n" + "\n".join(roots)
    return text


def _quoted(text: str) -> str:
    """Return a TOML basic string (TOML 1.0, "String")."""
    text = re.sub("[\ud800-\udfff]", "\ufffd", text)  # a file's name need not be text
    escaped = re.sub(r'[\\"]', r"\\\g<0>", text)
    plain = re.sub(r"[^\x20-\x7e\u00a0-\ud7ff]", lambda c: f"\\U{ord(c[0]):08X}", escaped)
    return f'"{plain}"'


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
