"""What the suites of the pair-bitmap buddy share."""

from __future__ import annotations

import struct

from tests.kernel.session import MIB

DMA_END = 16 * MIB
DIRECT_MAP_END = 896 * MIB
ZONES = ("dma", "normal", "high")
SMALL, MEDIUM, LARGE = 4 * MIB, 32 * MIB, 1024 * MIB
CHOSEN = "frames=pair"
NODE = struct.Struct("<4I")
"""A ``struct buddy_node``: next, previous, magic, order."""
MAGIC = 0x42756464
