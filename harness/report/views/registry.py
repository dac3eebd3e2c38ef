"""All views by name."""

from __future__ import annotations

from collections.abc import Sequence

from harness.check.observation import Observation
from harness.image.errors import nearest
from harness.report.views.check import CHECK
from harness.report.views.diff import DIFF
from harness.report.views.frames import FRAMES
from harness.report.views.free import FREE
from harness.report.views.heap import HEAP
from harness.report.views.map import MAP
from harness.report.views.slabs import SLABS
from harness.report.views.tables import TABLES
from harness.report.views.view import Answer, BadArguments, View
from harness.report.views.walk import WALK
from harness.report.views.who import WHO

_ALL = (MAP, TABLES, WALK, WHO, FRAMES, FREE, HEAP, SLABS, CHECK, DIFF)
VIEWS: dict[str, View] = {view.name: view for view in _ALL}


def find_view(name: str) -> View:
    """Return a view; raise :class:`BadArguments` for a name that there is not."""
    if name not in VIEWS:
        hint = nearest(name, VIEWS)
        more = f"; nearest: {hint}" if hint else ""
        raise BadArguments(f"no view {name!r}; there are {', '.join(VIEWS)}{more}")
    return VIEWS[name]


def answer(seen: Observation, name: str, arguments: Sequence[str]) -> Answer:
    """Return what the view ``name`` says of a guest; raises like :meth:`View.answer`."""
    return find_view(name).answer(seen, arguments)
