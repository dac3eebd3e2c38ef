"""The flags that choose machines, the same on every command, and the machines they mean."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from harness.image.build import build, build_directory
from harness.image.description import Description
from harness.image.elf import load_kernel
from harness.image.find import describe, is_built
from harness.image.kernel_image import KernelImage
from harness.image.schema.running import Preset
from harness.machine import notation
from harness.machine.errors import SpecError
from harness.machine.notation import DEFAULT_MEMORY
from harness.machine.spec import BootPath, Fill, MachineSpec
from harness.maps import find
from harness.maps.memory_map import MemoryMap
from harness.maps.scale import scale


def parse_size(text: str) -> int:
    """Return the bytes that a size such as ``64M`` means; refuse anything else."""
    try:
        return notation.parse_size(text)
    except SpecError as error:
        raise click.BadParameter(str(error)) from None


class MemoryType(click.ParamType[tuple[int | None, ...]]):
    """``16M,64M`` or ``auto``, as a tuple of byte counts; None stands for ``auto``."""

    name = "sizes"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int | None, ...]:
        if isinstance(value, tuple):
            return value
        sizes = (None if part == "auto" else parse_size(part) for part in value.split(","))
        return tuple(dict.fromkeys(sizes))


class FillType(click.ParamType[Fill]):
    """``zero``, ``poison`` or ``random[:SEED]``."""

    name = "fill"

    def convert(self, value: Any, param: Any, ctx: Any) -> Fill:
        if isinstance(value, Fill):
            return value
        try:
            return notation.parse_fill(value)
        except SpecError as error:
            self.fail(str(error), param, ctx)


class BootType(click.ParamType[tuple[BootPath, ...]]):
    """One or more boot paths, separated by commas; ``all`` for every one."""

    name = "boot paths"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[BootPath, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return notation.parse_boot_paths(value)
        except SpecError as error:
            self.fail(f"{error}, all", param, ctx)


@dataclass(frozen=True)
class Selection:
    """What the common flags say."""

    kernel: Path | None
    variables: dict[str, str]
    memory: tuple[int | None, ...] | None
    maps: tuple[str, ...]
    exact: bool
    boot: tuple[BootPath, ...] | None
    cpu: str
    fill: Fill
    append: str
    icount: bool
    preset: str | None = None
    """The name of the preset whose words and variables have been added."""

    @property
    def is_default(self) -> bool:
        """Whether nothing that chooses machines was said."""
        return self.memory is None and not self.maps and self.boot is None

    def load_kernel(self) -> KernelImage:
        """Return the kernel, built first where its description says how."""
        return load_or_build(self.kernel, self.variables)

    def presets(self) -> tuple[Preset, ...]:
        """Return the presets that the kernel's description has."""
        return describe(self.kernel).presets

    def with_preset(self, preset: Preset) -> Selection:
        """Return the same flags with those of a preset in front, which they override."""
        if self.preset is not None:
            raise click.UsageError(f"--preset {self.preset} has been chosen already")
        return replace(
            self,
            preset=preset.name,
            variables={**preset.variables, **self.variables},
            append=f"{preset.append} {self.append}".strip(),
        )

    def with_preset_called(self, name: str) -> Selection:
        """Return :meth:`with_preset` by name; refuse a name that there is not."""
        for preset in self.presets():
            if preset.name == name:
                return self.with_preset(preset)
        known = ", ".join(preset.name for preset in self.presets()) or "none"
        raise click.BadParameter(f"no preset {name!r}; there are {known}", param_hint="--preset")

    def __post_init__(self) -> None:
        """Refuse flags that contradict one another."""
        if self.exact and not self.maps:
            raise click.UsageError("--exact needs --map: it is about scaling a map")

    def machines(self, kernel: KernelImage) -> list[MachineSpec]:
        """Return every machine that the flags mean: maps, then sizes, then boot paths."""
        make = functools.partial(
            MachineSpec,
            kernel,
            cpu=self.cpu,
            fill=self.fill,
            append=self.append,
            icount=self.icount,
        )
        paths = self.boot or (BootPath.DIRECT,)
        return [
            make(memory=memory, map=chosen, boot=path)
            for memory, chosen in self._memories_and_maps()
            for path in paths
        ]

    def machine(self, kernel: KernelImage) -> MachineSpec:
        """Return the one machine that the flags mean; refuse flags that mean several."""
        machines = self.machines(kernel)
        if len(machines) != 1:
            raise click.UsageError(
                f"these flags mean {len(machines)} machines; this command takes one"
            )
        return machines[0]

    def _memories_and_maps(self) -> Iterator[tuple[int, MemoryMap | None]]:
        sizes = self.memory or (None,)
        if not self.maps:
            yield from ((DEFAULT_MEMORY if size is None else size, None) for size in sizes)
        for memory_map in find_maps(self.maps):
            for size in sizes:
                keep = size is None or self.exact
                memory = memory_map.claimed_memory() if size is None else size
                yield memory, memory_map if keep else scale(memory_map, memory)


def find_maps(names: Iterable[str]) -> list[MemoryMap]:
    """Return the maps that each of ``names`` means: see :mod:`harness.maps.find`."""
    try:
        return [found for name in names for found in find.find_maps(name, "--map")]
    except FileNotFoundError as error:
        raise click.BadParameter(str(error)) from None


def _is_new(description: Description, variables: dict[str, str]) -> bool:
    """Return whether building the kernel will take its time."""
    recipe = description.build
    prebuilt = recipe is not None and not recipe.command
    return not prebuilt and not build_directory(description, variables).exists()


def load_or_build(path: Path | None, variables: dict[str, str]) -> KernelImage:
    """Return the kernel at ``path``: a description, a folder with one, an ELF; None: bundled."""
    if path is not None and is_built(path):
        if variables:
            raise click.UsageError(f"--build has no effect: {path} is a built kernel")
        return load_kernel(path, Description.none())
    description = describe(path)
    if _is_new(description, variables):
        click.echo(f"harness: building {path or 'the bundled kernel'}", err=True)
    return build(description, variables)


def description_for_core(path: Path | None) -> Description | None:
    """Return the description by which a core is to be read; None: the saved one."""
    if path is not None and is_built(path):
        raise click.BadParameter("with --core, --kernel names a description; the core has the ELF")
    return None if path is None else describe(path)


def _variables(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    pairs = dict(value.partition("=")[::2] for value in values)
    if any("=" not in value for value in values):
        raise click.BadParameter("expected NAME=VALUE, such as CC=clang")
    return pairs


type_option = click.option(
    "--type",
    "commands",
    multiple=True,
    metavar="COMMAND",
    help="Type this into the kernel's monitor once it is ready. Repeatable.",
)

core_option = click.option(
    "--core",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Look at a guest that was saved to this file instead of booting one; --kernel then names "
    "a description to read it by, in place of the saved one.",
)

_KERNEL_OPTIONS = (
    click.option(
        "--kernel",
        type=click.Path(path_type=Path, exists=True),
        help="A harness.toml, a folder with one, or a Multiboot ELF. Default: the bundled kernel.",
    ),
    click.option(
        "--build",
        "variables",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_variables,
        help="A build variable, such as CC=clang. Repeatable.",
    ),
)

_MACHINE_OPTIONS = (
    *_KERNEL_OPTIONS,
    click.option(
        "--preset",
        metavar="NAME",
        help="One of the memory managers that the kernel can be: words in front of --append, and "
        "build variables, by its description.",
    ),
    click.option(
        "--memory",
        type=MemoryType(),
        metavar="SIZE[,SIZE…]|auto",
        help="RAM sizes. auto, the default with a map: as much as the map claims; "
        "a smaller size scales the map into it.",
    ),
    click.option(
        "--map",
        "maps",
        multiple=True,
        metavar="NAME|FILE|NOTATION",
        help="A memory map: of the library ('harness maps list'), of a file (JSON, dmesg text or "
        "compact notation), or in the notation itself. 'all' for the library. Repeatable.",
    ),
    click.option(
        "--exact", is_flag=True, help="Do not scale a map that claims more than --memory."
    ),
    click.option(
        "--boot",
        type=BootType(),
        metavar="direct|multiboot|iso|all",
        help="Boot paths, separated by commas. Default: direct.",
    ),
    click.option("--cpu", default="qemu32", show_default=True, help="QEMU's CPU model."),
    click.option(
        "--fill",
        type=FillType(),
        metavar="zero|poison|random[:SEED]",
        default="poison",
        show_default=True,
        help="What RAM holds at power-on.",
    ),
    click.option("--append", default="", help="Words for the kernel's command line."),
    click.option("--icount", is_flag=True, help="Count instructions: repeatable, a little slower."),
)


def kernel_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that choose a kernel."""
    return functools.reduce(lambda inner, option: option(inner), reversed(_KERNEL_OPTIONS), command)


def machine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that choose machines; the command gets them as one :class:`Selection`."""

    @functools.wraps(command)
    def select(**values: Any) -> Any:
        chosen = {name: values.pop(name) for name in _FIELDS}
        return command(selection=selection_of(chosen), **values)

    decorated: Callable[..., Any] = _with_options(select)
    return decorated


_FIELDS = tuple(Selection.__dataclass_fields__)


def selection_of(chosen: Mapping[str, Any]) -> Selection:
    """Return what the values of all common flags say, by their names in :class:`Selection`."""
    values = dict(chosen)
    name = values.pop("preset")
    selection = Selection(**values)
    return selection if name is None else selection.with_preset_called(name)


def common_flags(ctx: click.Context, given: bool = False) -> dict[str, Any]:
    """Return the values of a command's common flags; ``given``: only of those that were typed."""
    return {
        name: ctx.params[name]
        for name in _FIELDS
        if not given or ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def changed_flags(chosen: Mapping[str, Any], words: Sequence[str], name: str) -> dict[str, Any]:
    """Return ``chosen`` common flags with those of ``words`` in place of the same ones.

    ``name`` is what the words are typed behind. Raise ``click.ClickException``.
    """
    flags = _with_options(click.command(name, add_help_option=False)(lambda **values: None))
    return {**chosen, **common_flags(flags.make_context(name, list(words)), given=True)}


def _with_options(command: Callable[..., Any]) -> Any:
    return functools.reduce(
        lambda inner, option: option(inner), reversed(_MACHINE_OPTIONS), command
    )
