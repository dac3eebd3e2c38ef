"""Going back in a guest's life from gdb, and asking who wrote what."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from harness.check.observation import NotToBeSeen
from harness.debug.blame import blame, value_at
from harness.debug.blame_text import blame_text
from harness.debug.commands import Command, Words
from harness.debug.course import Course, record_course
from harness.debug.gdb_side.wire import Message
from harness.debug.history import WORD
from harness.debug.place import NoPlace, physical_of
from harness.debug.session import Session
from harness.debug.session_commands import machine_message
from harness.machine.backtrace import frame_at

_BLAME = """Tell who wrote a word of memory, the last writer first.

usage: mm blame [-p] ADDRESS

-p: the address is physical, also where it is mapped.

The same boot is run again and stopped at each write. A guest of 'harness gdb --record' is followed
exactly up to here, and is a replay from then on: nothing new can be typed to it. Any other guest's
machine is booted anew, until its kernel is ready or enters the function that it is in here."""

_BACK = """Go back in the life of a guest of 'harness gdb --record'.

usage: mm back                 one instruction
       mm back step [COUNT]        so many instructions
       mm back write [-p] ADDRESS  to just before the last write to a word
       mm back to COUNT            to when so many instructions of the kernel's were executed

What was recorded is replayed in a new process up to there; then gdb goes on from there, up to the
end of the record. What was changed by hand is not in the record."""


def past_commands(session: Session) -> list[Command]:
    """Return the commands about what a session's guest has done."""
    return [
        Command("blame", _BLAME, lambda words: _blame(session, words), takes_address=True),
        Command("back", _BACK, lambda words: _back(session, words), takes_address=True),
    ]


def _word(session: Session, words: Words, usage: str) -> int:
    """Return the physical address of the word that is meant; raise :class:`NotToBeSeen`."""
    if not words:
        raise NotToBeSeen(f"usage: {usage}")
    session.observe()  # only a stopped guest can be asked
    physical, text = words[0] == "-p", " ".join(words).removeprefix("-p")
    try:
        return physical_of(session.guest, text.strip(), physical) // WORD * WORD
    except NoPlace as error:
        raise NotToBeSeen(str(error)) from None


def _blame(session: Session, words: Words) -> Message:
    word = _word(session, words, "mm blame ADDRESS")
    if session.is_recorded:
        recording, count = session.past()
        try:
            text = blame_text(blame(replace(recording, length=count), [word]))
        finally:
            session.go_to(recording, count)
        return {**machine_message(session), "text": text}
    return {"text": _blame_anew(session, word)}


def _blame_anew(session: Session, word: int) -> str:
    """Follow a new boot of the same machine, as far as can be said how far the guest has come."""
    now = value_at(session.guest.ram, word)
    where = None if session.heard.ready else _function(session)
    recording, then = record_course(
        session.guest.spec, Course(where), lambda guest: value_at(guest.ram, word)
    )
    text = blame_text(blame(recording, [word]))
    if then == now:
        return text
    end = f"the first call of {where}" if where else "when the kernel was ready"
    return (
        f"{text}\nnote: the boot was followed to {end}; here the word is 0x{now:08x}. With "
        "'harness gdb --record' it is followed to here"
    )


def _function(session: Session) -> str:
    """Return the function that the guest is in."""
    function = frame_at(session.guest.kernel, session.guest.registers().eip).function
    if function is None:
        raise NotToBeSeen("the guest is in no function: nobody knows how far to follow its boot")
    return function


def _back(session: Session, words: Words) -> Message:
    what, *rest = words or ["step"]
    if what == "write":
        return _back_to_write(session, _word(session, rest, "mm back write ADDRESS"))
    amount = _amount(what, rest)
    recording, count = session.past()
    target = amount if what == "to" else count - amount
    text = f"{target} instructions were executed"
    if not 0 <= target <= recording.length:
        text = f"the record has the instructions from 0 to {recording.length}; this is {count}"
        target = count
    session.go_to(recording, target)
    return {**machine_message(session), "text": text}


def _back_to_write(session: Session, word: int) -> Message:
    recording, count = session.past()
    target, text = count, "nothing has stored there before"
    try:
        found = blame(replace(recording, length=count), [word], most=1).histories[0]
        if found.culprit is not None:
            target = found.culprit.count - 1
            text = f"{target} instructions were executed; the next one stores"
    finally:
        session.go_to(recording, target)
    return {**machine_message(session), "text": text}


def _amount(what: str, rest: Words) -> int:
    """Return the number of instructions; raise :class:`NotToBeSeen` for what is no command."""
    with contextlib.suppress(ValueError):
        if what == "step" and len(rest) <= 1:
            return int(rest[0], 0) if rest else 1
        if what == "to" and len(rest) == 1:
            return int(rest[0], 0)
    raise NotToBeSeen("usage: mm back [step [COUNT] | write ADDRESS | to COUNT]")
