"""What the harness knows of one kernel: its ``harness.toml`` as frozen values.

Every table of the file is optional: a kernel without any still boots. Strings called expressions
are C, evaluated over guest memory with the types of the kernel's DWARF; they stay strings here.
Attributes have the names of the file's keys (with an underscore behind Python's keywords).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.image.consistency import check_consistency
from harness.image.schema.frames import Bitmap, Bump, FrameTable, FreeLists, Held, Metadata, PairMap
from harness.image.schema.heaps import Caches, HeaderChain, Heap, LargeBlocks, SubblockHeap
from harness.image.schema.layout import FirmwareMap, PageTables, Zone
from harness.image.schema.running import (
    Boot,
    Build,
    Console,
    Coverage,
    Fuzz,
    Monitor,
    Preset,
    Tape,
)
from harness.image.schema.spaces import AddressSpaces
from harness.image.schema.types import DeclaredType
from harness.image.toml_table import Lines, TableReader, read_toml


@dataclass(frozen=True)
class Description:
    """All that a ``harness.toml`` says."""

    name: str = ""
    """What messages call the kernel."""
    build: Build | None = None
    boot: Boot = field(default_factory=Boot)
    presets: tuple[Preset, ...] = ()
    fuzz: Fuzz = field(default_factory=Fuzz)
    console: Console = field(default_factory=Console)
    monitor: Monitor | None = None
    zones: tuple[Zone, ...] = ()
    firmware_map: FirmwareMap = field(default_factory=FirmwareMap)
    moments: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Name of an instant of the boot → function before whose first instruction it is."""
    types: tuple[DeclaredType, ...] = ()
    page_tables: PageTables = field(default_factory=PageTables)
    frame_table: FrameTable | None = None
    free_lists: tuple[FreeLists, ...] = ()
    pair_maps: tuple[PairMap, ...] = ()
    held: Held | None = None
    bitmaps: tuple[Bitmap, ...] = ()
    bumps: tuple[Bump, ...] = ()
    heaps: tuple[Heap, ...] = ()
    caches: tuple[Caches, ...] = ()
    large_blocks: tuple[LargeBlocks, ...] = ()
    subblock_heaps: tuple[SubblockHeap, ...] = ()
    header_chains: tuple[HeaderChain, ...] = ()
    metadata: tuple[Metadata, ...] = ()
    address_spaces: AddressSpaces | None = None
    tape: Tape | None = None
    coverage: Coverage | None = None
    path: Path | None = field(default=None, metadata={"toml": False})
    """Where it was read from."""
    lines: Lines = field(
        default_factory=Lines, hash=False, compare=False, repr=False, metadata={"toml": False}
    )
    """Where each of its tables and keys stands."""

    @property
    def source(self) -> Path | None:
        """Folder of the description: the kernel's source."""
        return self.path.parent if self.path else None

    @property
    def allocators(self) -> tuple[Bitmap | Bump, ...]:
        """Every allocator that has a moment at which it is in charge."""
        return (*self.bitmaps, *self.bumps)

    @property
    def bundled(self) -> bool:
        """Whether it is that of the kernel that comes with the harness."""
        return self.path == bundled_path()

    @staticmethod
    def none() -> Description:
        """Return the description of a kernel of which nothing is known."""
        return Description()


def bundled_path() -> Path:
    """Return where the description of the kernel that comes with the harness stands."""
    package = Path(__file__).resolve().parents[1]
    # An installed package has the kernel inside, a checkout beside it.
    installed = package / "bundled" / "kernel" / "harness.toml"
    return installed if installed.exists() else package.parent / "kernel" / "harness.toml"


def bundled_description() -> Description:
    """Read the description of the kernel that comes with the harness."""
    return load_description(bundled_path())


def load_description(path: Path) -> Description:
    """Read and check ``path``; raise :class:`DescriptionError` with file and line."""
    document = read_toml(path)
    reader = TableReader(document)
    description = reader.read(Description, path=path.resolve(), lines=document.lines)
    check_consistency(reader, description)
    return description
