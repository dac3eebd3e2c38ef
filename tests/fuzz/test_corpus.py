"""Cases that are kept: for a feature or an edge that none before them had shown."""

from __future__ import annotations

from pathlib import Path

from harness.fuzz.attempt import Attempt
from harness.fuzz.case import Case
from harness.fuzz.corpus import Corpus
from harness.fuzz.store import Kept, open_store
from harness.maps.memory_map import MemoryMap

MEMORY = 16 << 20


def attempted(features: str, *edges: int) -> Attempt:
    case = Case(MEMORY, MemoryMap(()), append=f"{features} {edges}")
    return Attempt(case, "good", frozenset(features), frozenset(edges))


def test_a_case_stays_for_a_feature_or_an_edge() -> None:
    corpus = Corpus([])
    first, edge, feature = attempted("a", 1, 2), attempted("a", 2, 3), attempted("b", 1)
    assert corpus.consider(first) == Kept(first.case, ("a",), (1, 2))
    assert corpus.consider(attempted("a", 1)) is None
    assert corpus.consider(edge) == Kept(edge.case, (), (3,))
    assert corpus.consider(feature) == Kept(feature.case, ("b",), ())
    assert corpus.cases == [first.case, edge.case, feature.case]


def test_what_was_kept_is_nothing_new_in_the_next_session(tmp_path: Path) -> None:
    first = attempted("a", 1, 2)
    with open_store(tmp_path) as store:
        kept = Corpus([]).consider(first)
        assert kept is not None
        store.keep(kept)
        later = Corpus([])
        for one in store.corpus():
            later.restore(one)
    assert later.consider(first) is None
    assert later.consider(attempted("a", 3)) is not None


def test_a_corpus_from_before_there_were_edges_is_read(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        text = '{"case": {"memory": 16777216, "map": {"entries": []}}, "new": ["a"]}'
        (tmp_path / "corpus" / "000000.json").write_text(text)
        assert list(store.corpus()) == [Kept(Case(MEMORY, MemoryMap(())), ("a",))]
