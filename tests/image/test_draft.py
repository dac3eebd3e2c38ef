"""First descriptions: what is found in debug information, and that it can be read at once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.image.description import Description, load_description
from harness.image.draft.document import draft, findings
from harness.image.draft.places import words_of
from harness.image.elf import load_kernel
from harness.image.kernel_image import KernelImage
from tests.image.compiler import COMPILERS, compile_kernel

BODY = "\nvoid _start(void) { for (;;); }"
KERNEL = """
struct list_head { struct list_head *next, *prev; };
struct page { unsigned short flags; unsigned char order, zone; int count; struct list_head list; };
enum page_flags { PAGE_FREE = 1, PAGE_RESERVED = 2, LOCK_FREE = 4 };
enum page_flags keep;
struct page *page_table;
unsigned page_table_frames;
struct zone { struct list_head free_lists[11]; unsigned free_frames; } zones[3];
struct free_frame { struct free_frame *next; } *free_stack;
unsigned free_stack_count;
unsigned frame_bitmap[256];
unsigned char *free_map;
unsigned free_map_bits;
unsigned kernel_directory[1024] __attribute__((aligned(4096)));
struct task { struct task *next; } *tasks;
struct driver { void (*open)(void); int count; } page_drivers[128];
unsigned unrelated[256];
struct header { unsigned magic, size; struct header *next; char is_free; } *heap_first;
"""


def described(
    folder: Path, source: str, compiler: str = "gcc -gdwarf-4"
) -> tuple[Description, str]:
    path = compile_kernel(folder, source + BODY, compiler)
    text = draft(load_kernel(path), "kernel.elf")
    (folder / "harness.toml").write_text(text)
    return load_description(folder / "harness.toml"), text


@pytest.mark.parametrize("compiler", COMPILERS)
def test_each_kind_is_found(tmp_path: Path, compiler: str) -> None:
    description, text = described(tmp_path, KERNEL, compiler)
    table = description.frame_table
    assert table is not None
    assert (table.array, table.count) == ("page_table", "page_table_frames")
    assert (table.users, table.order) == ("count", "order")
    assert '# free = "flags & PAGE_FREE"' in text
    assert '# reserved = "flags & PAGE_RESERVED"' in text
    lists = {one.head: one for one in description.free_lists}
    assert set(lists) == {"zones[zone].free_lists[order]", "free_stack"}
    buddy, stack = lists["zones[zone].free_lists[order]"], lists["free_stack"]
    assert (buddy.zones, buddy.orders, buddy.style) == ("3", "11", "circular")
    assert (buddy.nodes, buddy.link) == ("frame_table", "list")
    assert (buddy.next, buddy.previous) == ("next", "prev")
    assert (stack.nodes, stack.style, stack.next) == ("block", "null", "next")
    bitmaps = {one.words: one for one in description.bitmaps}
    assert set(bitmaps) == {"frame_bitmap", "free_map"}
    assert bitmaps["frame_bitmap"].bits == "sizeof(frame_bitmap) * 8"
    assert (bitmaps["frame_bitmap"].taken, bitmaps["free_map"].taken) == (1, 0)
    assert bitmaps["free_map"].bits == "free_map_bits"
    [chain] = description.header_chains
    assert (chain.first, chain.header) == ("heap_first", "struct header")
    assert (chain.size, chain.next) == ("size", "next")
    assert '# used = "!is_free"' in text
    assert '# root = "kernel_directory"' in text
    assert "page_drivers" not in text


def test_the_draft_names_the_image(tmp_path: Path) -> None:
    description, _ = described(tmp_path, KERNEL)
    assert description.build is not None
    assert description.build.image == "kernel.elf"
    assert not description.build.command


@pytest.mark.parametrize(
    ("strip", "words"),
    [("--strip-debug", "no debug information"), ("--strip-all", "no symbols")],
)
def test_what_is_missing_is_said(tmp_path: Path, strip: str, words: str) -> None:
    path = compile_kernel(tmp_path, KERNEL + BODY)
    subprocess.run(["strip", strip, path], check=True, timeout=60)
    kernel = load_kernel(path)
    (tmp_path / "harness.toml").write_text(draft(kernel, "kernel.elf"))
    assert load_description(tmp_path / "harness.toml").bitmaps == ()
    assert words in draft(kernel, "kernel.elf")
    assert words in findings(kernel)


def test_a_kernel_without_a_memory_manager(tmp_path: Path) -> None:
    description, text = described(tmp_path, "int x;")
    assert (description.bitmaps, description.frame_table, description.free_lists) == ((), None, ())
    assert text.count("# None was found.") == 4


TEACHING = """
unsigned char *bitmap;
unsigned total_blocks, bitmap_size;
struct entry { unsigned present : 1, rest : 31; };
struct directory { struct entry entries[1024]; void *tables[1024]; } *current_directory;
unsigned *page_dir;
struct directory *directory_of_files[4];
struct { char c; struct entry directory[1024]; } unaligned __attribute__((aligned(4096)));
unsigned reserved_bitmap[64];
"""


def test_the_names_that_tutorials_give(tmp_path: Path) -> None:
    """A byte array found by a pointer, counted in blocks; directories in structures."""
    description, text = described(tmp_path, TEACHING)
    bitmaps = {one.words: one.bits for one in description.bitmaps}
    assert bitmaps == {"bitmap": "total_blocks"}
    assert '# words = "reserved_bitmap"' in text
    roots = [line for line in text.splitlines() if line.startswith("# root")]
    assert roots == ['# root = "current_directory"', '# root = "page_dir"']


def test_there_is_one_frame_table(tmp_path: Path) -> None:
    source = "struct page { unsigned flags, count; } page_map[128], frame_table[128];"
    description, text = described(tmp_path, source)
    assert description.frame_table is not None
    assert description.frame_table.array == "frame_table"
    assert '# array = "page_map"' in text


def test_a_direct_map_up_to_the_last_byte(tmp_path: Path) -> None:
    path = compile_kernel(tmp_path, "int x;" + BODY, virtual=0xFF100000)
    text = draft(load_kernel(path), "kernel.elf")
    assert "# virtual = 0xff000000" in text
    assert "# end = 0x0\n" in text


@pytest.mark.parametrize(
    ("source", "words", "bits"),
    [
        ("unsigned *bitmap, bitmap_size;", "bitmap", "bitmap_size * 8"),
        ("unsigned *frames, nframes;", "frames", "nframes"),
    ],
)
def test_a_bitmap_that_is_only_possible(tmp_path: Path, source: str, words: str, bits: str) -> None:
    """A size may be one of words, and a pointer to numbers an array of them."""
    description, text = described(tmp_path, source)
    assert description.bitmaps == ()
    assert f'# words = "{words}"\n# bits = "{bits}"' in text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nframes", {"n", "frame"}),
        ("next", {"next"}),
        ("freePageCount", {"free", "page", "count"}),
        ("nr_free_pages", {"nr", "free", "page"}),
        ("PAGE_FREE", {"page", "free"}),
        ("mem_map", {"mem", "map"}),
        ("address", {"address"}),
    ],
)
def test_words(name: str, words: set[str]) -> None:
    assert words_of(name) == words


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> KernelImage:
    return load_kernel(compile_kernel(tmp_path_factory.mktemp("empty"), "int x;" + BODY))


@given(st.text(min_size=1))
@example("\\\"'\x7f\udc80")
def test_any_file_name_can_be_written(empty: KernelImage, name: str) -> None:
    path = empty.path.with_name("harness.toml")
    path.write_text(draft(empty, name), encoding="utf-8")
    build = load_description(path).build
    assert build is not None
    assert build.image == name.encode("utf-8", "surrogatepass").decode("utf-8", "replace") or (
        "\ufffd" in build.image
    )
