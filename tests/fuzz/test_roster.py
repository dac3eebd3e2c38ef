"""Who is at what: jobs are given in twos, and a worker that goes costs what it was at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from harness.fuzz.attempt import Attempt
from harness.fuzz.case import Case
from harness.fuzz.job import Job, Shrink
from harness.fuzz.roster import TASK_SECONDS, Roster, Task
from harness.maps.memory_map import MemoryMap


def case(number: int) -> Case:
    return Case(number, MemoryMap(()))


def asking(jobs: Iterable[Job]) -> Callable[[], Job | None]:
    waiting = iter(jobs)
    return lambda: next(waiting, None)


def given(roster: Roster, ask: Callable[[], Job | None]) -> list[Task]:
    tasks = []
    while (worker := roster.free()) and (task := roster.next_task(worker, ask)):
        tasks.append(task)
    return tasks


def test_each_thread_has_one_task_and_one_that_waits() -> None:
    roster = Roster()
    roster.join("one", 1)
    roster.join("three", 3)
    tasks = given(roster, asking(map(case, range(100))))
    workers = [task.worker for task in tasks]
    assert sorted(workers) == ["one"] * 2 + ["three"] * 6
    assert sorted(workers[:4]) == ["one", "three", "three", "three"]  # nobody waits for a first one
    assert roster.done(tasks[0], 1.0)
    assert given(roster, asking([case(0)]))[0].worker == tasks[0].worker


def test_quick_cases_go_together_and_something_long_goes_alone() -> None:
    roster = Roster()
    roster.join("one", 1)
    [first, second] = given(roster, asking(map(case, range(2))))
    roster.done(first, TASK_SECONDS / 10)
    shrink = Shrink(Attempt(case(0), "finding"), 0.0, Path("folder"))
    ask = asking([*map(case, range(3)), shrink, *map(case, range(50))])
    [alone] = given(roster, ask)
    assert alone.jobs == (shrink,)
    roster.done(second, TASK_SECONDS / 10)
    [before] = given(roster, ask)
    assert before.jobs == tuple(map(case, range(3)))
    roster.done(alone, 1000.0)  # which says nothing of cases
    assert [len(task.jobs) for task in given(roster, ask)] == [10]


def test_of_a_worker_that_goes_only_what_it_was_at_is_lost() -> None:
    roster = Roster()
    roster.join("one", 1)
    running, waiting = given(roster, asking(map(case, range(2))))
    assert roster.leave("one") == ([running, waiting], [case(0)])
    assert not roster.busy
    roster.join("two", 1)
    [again] = given(roster, asking([]))
    assert again.jobs == (case(1),)
    assert not roster.done(running, 1.0)  # its result came too late


def test_cases_that_were_together_are_tried_alone_before_one_is_lost() -> None:
    roster = Roster()
    roster.join("one", 1)
    [first, second] = given(roster, asking(map(case, range(2))))
    roster.done(first, TASK_SECONDS / 3)
    roster.done(second, TASK_SECONDS / 3)
    [together] = given(roster, asking(map(case, range(3))))
    assert len(together.jobs) == 3
    assert roster.leave("one") == ([together], [])
    roster.join("two", 1)
    first, second = given(roster, asking([]))
    assert (first.jobs, second.jobs) == ((case(0),), (case(1),))
    assert roster.leave("two")[1] == [case(0)]
    roster.join("three", 1)
    assert sorted(task.jobs[0].memory for task in given(roster, asking([]))) == [1, 2]


def test_no_more_jobs_than_are_allowed_are_under_way() -> None:
    roster = Roster(most=1)
    roster.join("one", 4)
    [task] = given(roster, asking(map(case, range(9))))
    roster.done(task, 0.001)
    [task] = given(roster, asking(map(case, range(9))))
    assert len(task.jobs) == 1
