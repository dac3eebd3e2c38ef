"""A case as a JSON file that says everything: it boots years later, without what it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.fuzz.case import Case
from harness.image.kernel_image import KernelImage

FORMAT = 1


class CaseError(Exception):
    """A file that holds no case, or not one that this program reads."""


@dataclass(frozen=True)
class KernelFacts:
    """What tells a kernel from others, and where it was."""

    digest: str
    """The first 16 hexadecimal digits of its file's SHA-256."""
    path: str
    """Of its description; of the ELF where it has none; "" for the bundled kernel."""
    variables: dict[str, str] = field(default_factory=dict)
    """Build variables that were set."""

    @classmethod
    def of(cls, kernel: KernelImage) -> KernelFacts:
        """Return what there is to say of ``kernel``."""
        place = kernel.description.path or kernel.path.resolve()
        path = "" if kernel.description.bundled else str(place)
        return cls(kernel.digest, path, dict(kernel.variables))


@dataclass(frozen=True)
class CaseFile:
    """What stands in such a file; modules' contents are in base64."""

    case: Case
    kernel: KernelFacts
    """The kernel that it was found with."""
    group: str | None = None
    """What was wrong."""
    format: int = FORMAT


def case_text(case: Case, kernel: KernelImage, group: str | None = None) -> str:
    """Return the text of a case's file."""
    file = CaseFile(case, KernelFacts.of(kernel), group)
    return msgspec.json.format(msgspec.json.encode(file), indent=1).decode() + "\n"


def load_case(path: Path, advice: str = "take one as 'harness fuzz' leaves it") -> CaseFile:
    """Read a case; raise :class:`CaseError`, which ends in ``advice``."""
    try:
        data = path.read_bytes()
        if (found := msgspec.json.decode(data, type=_Header).format) != FORMAT:
            raise CaseError(f"{path}: format {found}; this program reads {FORMAT}: {advice}")
        return msgspec.json.decode(data, type=CaseFile)
    except OSError as error:
        raise CaseError(f"cannot read {path}: {error.strerror}; {advice}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise CaseError(f"{path} holds no case: {error}; {advice}") from None


class _Header(msgspec.Struct):
    format: int
