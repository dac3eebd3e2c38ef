#include "heap.h"

#include "frames.h"
#include "layout.h"
#include "paging.h"

#define ALIGNMENT 16
#define LARGEST   (HEAP_END - HEAP_START - sizeof(struct block))

struct block *first_block;
uint32_t heap_end = HEAP_START;
uint32_t heap_blocks;
uint32_t heap_bytes;

static uint32_t end_of(const struct block *block)
{
    return (uint32_t)(block + 1) + block->size;
}

static struct block *last_block(void)
{
    struct block *block = first_block;

    while (block && block->next)
        block = block->next;
    return block;
}

static void init_block(struct block *block, uint32_t size, struct block *previous,
                       struct block *next)
{
    *block = (struct block){BLOCK_MAGIC, size, next, previous, BLOCK_FREE, {0}};
    if (previous)
        previous->next = block;
    else
        first_block = block;
    if (next)
        next->previous = block;
}

/* Make one block of two neighbours, of which the second one is free. */
static void join_next(struct block *block)
{
    struct block *next = block->next;

    block->size += sizeof(*next) + next->size;
    block->next = next->next;
    if (block->next)
        block->next->previous = block;
    next->magic = 0;
}

static void split(struct block *block, uint32_t size)
{
    uint32_t rest = block->size - size;

    if (rest < sizeof(struct block) + ALIGNMENT)
        return;
    block->size = size;
    init_block((void *)end_of(block), rest - sizeof(struct block), block, block->next);
}

static void give_back(uint32_t end)
{
    while (heap_end > end) {
        heap_end -= FRAME_SIZE;
        frame_free(unmap(heap_end), OWNER_HEAP);
    }
}

static bool grow_to(uint32_t end)
{
    uint32_t before = heap_end, frame;

    for (; heap_end < end; heap_end += FRAME_SIZE) {
        frame = frame_alloc(OWNER_HEAP);
        if (!frame)
            break;
        if (!map_data(heap_end, frame)) {
            frame_free(frame, OWNER_HEAP);
            break;
        }
    }
    if (heap_end >= end)
        return true;
    give_back(before);
    return false;
}

/* Make the heap longer, so that its last block is free and has at least `size` bytes. */
static struct block *grow(uint32_t size)
{
    struct block *last = last_block();
    uint32_t start = heap_end;
    uint32_t from = last && last->state == BLOCK_FREE ? (uint32_t)last : start;

    if (size > HEAP_END - from - sizeof(struct block) ||
        !grow_to((from + sizeof(struct block) + size + FRAME_SIZE - 1) / FRAME_SIZE * FRAME_SIZE))
        return NULL;
    init_block((void *)start, heap_end - start - sizeof(struct block), last, NULL);
    if (from == start)
        return (void *)start;
    join_next(last);
    return last;
}

static struct block *find(uint32_t size)
{
    struct block *block;

    for (block = first_block; block; block = block->next)
        if (block->state == BLOCK_FREE && block->size >= size)
            return block;
    return grow(size);
}

void *heap_alloc(uint32_t size)
{
    struct block *block;

    if (!size || size > LARGEST)
        return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    block = size <= LARGEST ? find(size) : NULL;
    if (!block)
        return NULL;
    split(block, size);
    block->state = BLOCK_USED;
    heap_blocks++;
    heap_bytes += block->size;
    return block + 1;
}

static struct block *block_of(const void *memory)
{
    struct block *block;

    for (block = first_block; block; block = block->next)
        if (block + 1 == memory && block->state == BLOCK_USED)
            return block;
    return NULL;
}

bool heap_free(void *memory)
{
    struct block *block = block_of(memory);

    if (!block)
        return false;
    block->state = BLOCK_FREE;
    heap_blocks--;
    heap_bytes -= block->size;
    if (block->next && block->next->state == BLOCK_FREE)
        join_next(block);
    if (block->previous && block->previous->state == BLOCK_FREE)
        join_next(block->previous);
    return true;
}
