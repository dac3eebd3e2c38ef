"""Slab caches: their records, the slabs on their lists, and the objects in each slab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.decode.address_space import NotReadable
from harness.decode.belief.fault import DecodeFault
from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.belief.slabs import Cache, Caches, Slab
from harness.decode.context import Context, Undecodable
from harness.decode.expression import NoValue, Scope
from harness.decode.links import Break, faults_of
from harness.decode.records import Records, follow_circular, read_all
from harness.decode.slab_objects import find_damage, follow_free
from harness.image.c_type import CType
from harness.image.schema.heaps import Caches as Description

MAX_CACHES = 1 << 12
MAX_LABEL = 256
LISTS = ("full", "partial", "empty")


def decode_caches(context: Context, description: Description) -> Caches:
    """Follow the list of caches, their lists of slabs, and the free objects in each slab.

    Raise :class:`Undecodable` or ``NotReadable`` when not even the list's head can be read.
    """
    cache_type = context.kernel.types.lookup(description.cache)
    link = cache_type.stripped.member(description.link)
    head = context.evaluate.locate(description.caches).address
    if head is None:
        raise Undecodable(f"{description.caches} is not in memory")
    names = (description.next, description.previous)
    chain = follow_circular(context, head, link.type, *names, MAX_CACHES)
    faults = list(faults_of(description.name, chain.breaks))
    caches = []
    left = sum(len(one) for one in context.ram.ranges) // FRAME_SIZE
    for node in chain.nodes:
        decoder = _CacheDecoder(context, description, cache_type, node - link.offset, left)
        cache = decoder.decode()
        faults += decoder.faults
        if cache is not None:
            caches.append(cache)
        left = decoder.most_slabs
    owner = description.owner or description.name
    return Caches(description.name, tuple(caches), owner, tuple(faults))


@dataclass(frozen=True)
class Shape:
    """Where things lie in a slab's page, in bytes."""

    size: int
    pitch: int
    first: int
    bufctl: int
    capacity: int
    header: int

    def problem(self) -> str | None:
        """Return why no page can hold such a slab."""
        if min(self.size, self.pitch, self.capacity) <= 0 or self.first < 0:
            return "its objects have no size, or a slab holds none"
        if self.first + self.size > self.pitch or self.bufctl + 4 > self.pitch - self.first:
            return f"objects of {self.size} bytes do not fit where one begins every {self.pitch}"
        if self.capacity * self.pitch > self.header:
            return f"{self.capacity} objects reach into the slab's header"
        return None


class _CacheDecoder:
    """One cache and its slabs."""

    def __init__(
        self,
        context: Context,
        description: Description,
        cache_type: CType,
        address: int,
        most_slabs: int,
    ) -> None:
        """Look at the record at virtual ``address``, and at ``most_slabs`` slabs at most."""
        self._context, self._description = context, description
        self._address, self.most_slabs = address, most_slabs
        self._scope = Scope(structure=(cache_type, address))
        self._name = f"cache at 0x{address:x}"
        self.faults: list[DecodeFault] = []

    def decode(self) -> Cache | None:
        """Return the cache, or None when its record makes no sense."""
        try:
            return self._decode()
        except (NotReadable, Undecodable, NoValue) as error:
            self._fault(Break(str(error), (self._address,)))
            return None

    def _fault(self, found: Break) -> None:
        name = f"{self._description.name}, {self._name}"
        self.faults += faults_of(name, (found,))

    def _integer(self, expression: str) -> int:
        return self._context.evaluate.integer(expression, self._scope)

    def _counter(self, expression: str | None) -> int | None:
        return None if expression is None else self._integer(expression)

    def _decode(self) -> Cache:
        description = self._description
        self._name = f"cache {self._label()}"
        slab_type = self._context.kernel.types.lookup(description.slab)
        header = self._context.evaluate.integer(description.slab_header)
        shape = Shape(
            size=self._integer(description.size),
            pitch=self._integer(description.pitch),
            first=self._integer(description.first),
            bufctl=self._integer(description.bufctl),
            capacity=self._integer(description.capacity),
            header=header,
        )
        problem = shape.problem()
        if problem is not None:
            raise Undecodable(problem, self._address)
        slabs = (slab for name in LISTS for slab in self._slabs(name, slab_type, shape))
        return Cache(
            name=self._name.removeprefix("cache "),
            address=self._address,
            size=shape.size,
            pitch=shape.pitch,
            first=shape.first,
            bufctl=shape.bufctl,
            capacity=shape.capacity,
            header=range(header, header + slab_type.size),
            slabs=tuple(slabs),
            grows=description.grows is None or bool(self._integer(description.grows)),
            live_count=self._counter(description.live),
            slab_count=self._counter(description.slabs),
        )

    def _label(self) -> str:
        found = self._context.evaluate.locate(self._description.label, self._scope)
        if found.address is None:
            raise Undecodable(f"{self._description.label} is not in memory")
        data = self._context.space.read(found.address, min(found.type.size, MAX_LABEL))
        return data.partition(b"\0")[0].decode("ascii", "backslashreplace")

    def _slabs(self, listed: str, slab_type: CType, shape: Shape) -> Iterator[Slab]:
        """Yield the slabs of one list, in its order."""
        description = self._description
        link = slab_type.stripped.member(description.slab_link)
        member = getattr(description, listed)
        head = self._context.evaluate.locate(member, self._scope).address
        if head is None:
            raise Undecodable(f"{member} is not in memory", self._address)
        names = (description.next, description.previous)
        chain = follow_circular(self._context, head, link.type, *names, self.most_slabs)
        self.most_slabs = max(0, self.most_slabs - len(chain.nodes))
        for one in chain.breaks:
            self._fault(one)
        headers = [node - link.offset for node in chain.nodes]
        good = [address for address in headers if address % FRAME_SIZE == shape.header]
        for address in set(headers) - set(good):
            self._fault(Break("no slab's header can be here", (head, address)))
        records = read_all(self._context, slab_type, good)
        for address in records.lost:
            self._fault(Break("the slab's header is not mapped", (head, address)))
        yield from self._each(listed, records, shape)

    def _each(self, listed: str, records: Records, shape: Shape) -> Iterator[Slab]:
        description, context = self._description, self._context
        caches = records.column(context, description.slab_cache, 0)
        firsts = records.column(context, description.free, 0)
        in_use = records.column(context, description.in_use, 0)
        keys = [address % (1 << 32) for address in records.addresses]
        if description.key is not None:
            keys = [key % (1 << 32) for key in records.column(context, description.key, 0)]
        states = self._states(records, shape)
        guards = self._guards()
        for index, header in enumerate(records.addresses):
            page = header - shape.header
            data = np.frombuffer(context.space.read(page, FRAME_SIZE), np.uint8)
            free, broken = follow_free(data, page, firsts[index], shape)
            if broken is not None:
                self._fault(broken)
            yield Slab(
                page=page,
                frame=context.space.translate(page) // FRAME_SIZE,
                listed=listed,
                cache=caches[index],
                header_good=keys[index] == header,
                free=free,
                live=None if states is None else states[index],
                in_use=None if description.in_use is None else in_use[index],
                damage=find_damage(data, page, free, shape, *guards),
            )

    def _guards(self) -> tuple[int | None, int | None]:
        """Return the bytes of this cache's red zones and poison, None where it has none."""
        return (
            self._guard(self._description.guarded, self._description.red_zone),
            self._guard(self._description.poisoned, self._description.poison),
        )

    def _guard(self, condition: str | None, byte: str | None) -> int | None:
        if condition is None or byte is None or not self._integer(condition):
            return None
        return self._integer(byte) & 0xFF

    def _states(self, records: Records, shape: Shape) -> npt.NDArray[np.bool_] | None:
        """Return a row for each slab: what its header notes about each object."""
        if self._description.state is None:
            return None
        name = records.type.stripped.member(self._description.state).name
        count = len(records.rows)
        words = np.ascontiguousarray(records.rows[name])
        octets = words.view(np.uint8).reshape(count, words.nbytes // max(count, 1))
        if octets.shape[1] * 8 < shape.capacity and count:
            raise Undecodable(f"{name} has fewer bits than a slab has objects", self._address)
        bits = np.unpackbits(octets, axis=1, bitorder="little")
        return bits[:, : shape.capacity].astype(np.bool_)
