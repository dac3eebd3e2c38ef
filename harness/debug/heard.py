"""What the kernel has printed while gdb had the terminal."""

from __future__ import annotations

from harness.image.schema.running import Console

MOST = 256 << 10
"""Characters that are kept until somebody asks."""


class Heard:
    """Collects a console's text; knows whether the kernel has said that it is ready."""

    def __init__(self, words: Console | None = None) -> None:
        self._words = words or Console()
        self._text = ""
        self._line = ""
        self._lost = 0
        self.ready = self._words.ready is None

    def add(self, text: str) -> None:
        """Take in what came."""
        self._text += text
        if len(self._text) > MOST:
            self._lost += len(self._text) - MOST
            self._text = self._text[-MOST:]
        *lines, self._line = (self._line + text).split("\n")
        self._line = self._line[-MOST:]
        pattern = self._words.ready
        if pattern is not None and not self.ready:
            self.ready = any(pattern.search(line.rstrip("\r")) for line in lines)

    def take(self) -> str:
        """Return the text that came since this was last called, and forget it."""
        text, lost = self._text.replace("\r\n", "\n"), self._lost
        self._text, self._lost = "", 0
        return f"[{lost} characters before this were lost]\n{text}" if lost else text
