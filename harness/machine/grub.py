"""How GRUB's shell reads its words (GRUB manual 2.06, section 6.1)."""

from __future__ import annotations


def quoted_line(line: str) -> str:
    """Return the words that GRUB joins by blanks to ``line``; an empty one between two blanks."""
    return " ".join(quoted_word(word) for word in line.split(" ")) if line else ""


def quoted_word(word: str) -> str:
    """Return ``word`` so that nothing in it means anything to GRUB."""
    return "'" + word.replace("'", "'\\''") + "'"
