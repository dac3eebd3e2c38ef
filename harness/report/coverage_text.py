"""Coverage for people, and for the tools that draw it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from harness.cover.coverage import Coverage, Function


def coverage_text(coverage: Coverage, missed: bool = False) -> str:
    """Return a table of files and their lines and functions, or what there is without either.

    With ``missed`` the functions that were not called are named.
    """
    lines = [*_files(coverage)] if coverage.lines else [*_functions(coverage)]
    if missed:
        lines += ["", "not called:"]
        lines += [f"  {_named(one)}" for one in coverage.functions if not one.calls]
    return "\n".join(lines)


def _files(coverage: Coverage) -> Iterator[str]:
    functions: dict[str, list[Function]] = defaultdict(list)
    for function in coverage.functions:
        functions[function.file or ""].append(function)
    width = max(len(file) for file in coverage.lines)
    yield f"{'file':{width}}  {'lines':>12}  {'functions':>12}"
    totals: Counter[str] = Counter()
    for file, counts in coverage.lines.items():
        hit = sum(count > 0 for count in counts.values())
        called = sum(one.calls > 0 for one in functions[file])
        yield (
            f"{file:{width}}  {_share(hit, len(counts)):>12}  "
            f"{_share(called, len(functions[file])):>12}"
        )
        totals.update(hit=hit, lines=len(counts))
    called = sum(one.calls > 0 for one in coverage.functions)
    yield (
        f"{'all':{width}}  {_share(totals['hit'], totals['lines']):>12}  "
        f"{_share(called, len(coverage.functions)):>12}"
    )


def _functions(coverage: Coverage) -> Iterator[str]:
    yield f"{coverage.instructions} different instructions executed"
    if coverage.functions:
        called = sum(one.calls > 0 for one in coverage.functions)
        yield f"functions called: {_share(called, len(coverage.functions))}"
        yield "no debug information (gcc -g): nothing is known of lines"
    else:
        yield "no symbols and no debug information: nothing is known of functions and lines"


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole} {100 * part // whole:3}%" if whole else "-"


def _named(function: Function) -> str:
    place = f" ({function.file}:{function.line})" if function.file else ""
    return f"{function.name}{place}"


def lcov_text(coverage: Coverage) -> str:
    """Return an lcov tracefile (geninfo(1), "FILES"), which ``genhtml`` and editors draw."""
    parts = ["TN:"]
    for file, counts in coverage.lines.items():
        own = [one for one in coverage.functions if one.file == file]
        parts.append(f"SF:{file}")
        parts += [f"FN:{one.line},{one.name}" for one in own]
        parts += [f"FNDA:{one.calls},{one.name}" for one in own]
        parts += [f"FNF:{len(own)}", f"FNH:{sum(one.calls > 0 for one in own)}"]
        parts += [f"DA:{line},{count}" for line, count in counts.items()]
        parts += [f"LF:{len(counts)}", f"LH:{sum(count > 0 for count in counts.values())}"]
        parts.append("end_of_record")
    return "\n".join(parts) + "\n"
