/* A heap of sub-blocks in blocks of any number of chunks. */
#include "mm/heap/subblock.h"

#include "lib/panic.h"

/* More would not fit into 32 bits of address. */
#define CHUNKS_MAX (SIZE_MAX / PAGE_SIZE)

/* The map is part of what it describes: four of a chunk's sub-blocks hold its bytes. */
static uint32_t metadata_for(uint32_t chunks)
{
    return subblocks_for(sizeof(struct subblock_block) + chunks * SUBBLOCKS_A_CHUNK);
}

/* The fewest chunks that hold so many sub-blocks besides their own metadata. */
static uint32_t chunks_for(uint32_t wanted)
{
    const uint32_t header = subblocks_for(sizeof(struct subblock_block));
    const uint32_t room = SUBBLOCKS_A_CHUNK - SUBBLOCKS_A_CHUNK / SUBBLOCK_SIZE;
    return (wanted + header + room - 1) / room;
}

static struct subblock_map map_of(struct subblock_block *block)
{
    return (struct subblock_map){block->map, block->chunks * SUBBLOCKS_A_CHUNK,
                                 metadata_for(block->chunks), &block->longest};
}

static bool is_empty(struct subblock_block *block)
{
    struct subblock_map map = map_of(block);
    return block->free == map.count - map.metadata;
}

static bool lies_in(const struct subblock_block *block, uintptr_t address)
{
    uintptr_t start = (uintptr_t)block;
    return address >= start && address - start < block->chunks * PAGE_SIZE;
}

/* The pointer that leads to the block around an address; to NULL without one. */
static struct subblock_block **find_link(struct subblock_arena *arena, uintptr_t address)
{
    struct subblock_block **link = &arena->blocks;
    while (*link && !lies_in(*link, address))
        link = &(*link)->next;
    return link;
}

static void drop_block(struct subblock_arena *arena, struct subblock_block **link)
{
    struct subblock_block *block = *link;
    *link = block->next;
    arena->statistics.chunks -= block->chunks;
    if (block == arena->spare)
        arena->spare = NULL;
    arena->source->give(block, block->chunks);
}

/* With the spare block's help, if need be: it may be just what is missing. */
static struct subblock_block *take_chunks(struct subblock_arena *arena, size_t *chunks)
{
    size_t wanted = *chunks;
    struct subblock_block *block = arena->source->take(chunks);
    if (block || !arena->spare)
        return block;
    drop_block(arena, find_link(arena, (uintptr_t)arena->spare));
    *chunks = wanted;
    return arena->source->take(chunks);
}

/* A block with room for so many sub-blocks, at the front of the list. */
static struct subblock_block *add_block(struct subblock_arena *arena, uint32_t wanted)
{
    size_t chunks = chunks_for(wanted);
    struct subblock_block *block = chunks <= CHUNKS_MAX ? take_chunks(arena, &chunks) : NULL;
    if (!block)
        return NULL;
    *block = (struct subblock_block){.chunks = chunks, .next = arena->blocks};
    struct subblock_map map = map_of(block);
    subblock_map_init(&map);
    block->free = map.count - map.metadata;
    arena->blocks = block;
    arena->statistics.chunks += chunks;
    return block;
}

static void *alloc_in(struct subblock_arena *arena, struct subblock_block *block, uint32_t wanted)
{
    if (block->longest < wanted)
        return NULL;
    struct subblock_map map = map_of(block);
    uint32_t first = subblock_map_alloc(&map, wanted);
    if (!first)
        return NULL;
    block->free -= wanted;
    if (block == arena->spare)
        arena->spare = NULL;
    arena->statistics.live++;
    arena->statistics.used += wanted;
    return (char *)block + first * SUBBLOCK_SIZE;
}

static void *alloc_anywhere(struct subblock_arena *arena, uint32_t wanted)
{
    for (struct subblock_block *block = arena->blocks; block; block = block->next) {
        void *found = alloc_in(arena, block, wanted);
        if (found)
            return found;
    }
    struct subblock_block *block = add_block(arena, wanted);
    return block ? alloc_in(arena, block, wanted) : NULL;
}

void *subblock_alloc(struct subblock_arena *arena, size_t size)
{
    if (size == 0)
        return NULL;
    void *found = alloc_anywhere(arena, subblocks_for(size));
    if (!found)
        arena->statistics.failures++;
    return found;
}

static const char *check_in(struct subblock_block *block, uintptr_t address)
{
    if (!block)
        return "it lies in no block of the heap";
    struct subblock_map map = map_of(block);
    return subblock_map_check(&map, address - (uintptr_t)block);
}

const char *subblock_check(const struct subblock_arena *arena, const void *address)
{
    struct subblock_block *block = arena->blocks;
    while (block && !lies_in(block, (uintptr_t)address))
        block = block->next;
    return address ? check_in(block, (uintptr_t)address) : NULL;
}

/* A block with nothing in it goes, but the first one of a single chunk. */
static void settle_empty(struct subblock_arena *arena, struct subblock_block **link)
{
    if ((*link)->chunks == 1 && !arena->spare)
        arena->spare = *link;
    else
        drop_block(arena, link);
}

void subblock_free(struct subblock_arena *arena, void *address)
{
    if (!address)
        return;
    struct subblock_block **link = find_link(arena, (uintptr_t)address), *block = *link;
    const char *wrong = check_in(block, (uintptr_t)address);
    if (wrong)
        panic("subblock: 0x%08x freed: %s", (unsigned)(uintptr_t)address, wrong);
    struct subblock_map map = map_of(block);
    uint32_t first = ((uintptr_t)address - (uintptr_t)block) / SUBBLOCK_SIZE;
    uint32_t freed = subblock_map_free(&map, first);
    block->free += freed;
    arena->statistics.live--;
    arena->statistics.used -= freed;
    if (is_empty(block))
        settle_empty(arena, link);
}
