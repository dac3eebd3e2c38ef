"""Packets of GDB's protocol; the expected bytes are worked out by hand from its manual."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.ram.packets import LARGEST_PACKET, PacketError, PacketReader, decode, encode


@pytest.mark.parametrize(
    ("data", "packet"),
    [(b"OK", b"$OK#9a"), (b"", b"$#00"), (b"g", b"$g#67"), (b"#", b"$}\x03#80")],
)
def test_packets_as_the_manual_writes_them(data: bytes, packet: bytes) -> None:
    assert encode(data) == packet


def test_runs_are_expanded() -> None:
    assert decode(b"0* ") == b"0000"  # "0* " is the manual's own example
    assert decode(b"a0*!b") == b"a00000b"


@given(data=st.binary(max_size=50))
def test_round_trip(data: bytes) -> None:
    reader = PacketReader()
    reader.feed(encode(data))
    assert reader.next() == data
    assert reader.next() is None


@given(packets=st.lists(st.binary(max_size=9), max_size=5), data=st.data())
def test_however_the_stream_is_cut(packets: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(b"+" + encode(packet) for packet in packets)
    reader, received = PacketReader(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        reader.feed(stream[:size])
        stream = stream[size:]
        while (packet := reader.next()) is not None:
            received.append(packet)
    assert received == packets


@pytest.mark.parametrize(
    "stream", [b"$OK#9b", b"$OK#xx", b"$*!#4b", b"$}#7d", b"$" + b"x" * (LARGEST_PACKET + 1)]
)
def test_bad_packets_are_refused(stream: bytes) -> None:
    reader = PacketReader()
    reader.feed(stream)
    with pytest.raises(PacketError):
        reader.next()
