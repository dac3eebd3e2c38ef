/*
 * The heap: blocks of any size one behind the other, each with a header in front.
 *
 *     HEAP_START                                              heap_end          HEAP_END
 *     ┌────────┬───────────┬────────┬─────────────┬────────┬──┐┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┐
 *     │ header │ size bytes│ header │  size bytes │ header │  │    not mapped     │
 *     └───┬────┴───────────┴▲──┬────┴─────────────┴▲──┬────┴──┘┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┘
 *         └───── next ──────┘  └───── next ────────┘  └─► NULL
 *
 * The list has every block, used or free, in the order of their addresses. Two free neighbours are
 * one block.
 */
#ifndef HEAP_H
#define HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enumerators, which debug information names, as against macros. */
enum { BLOCK_MAGIC = 0x50414548 }; /* "HEAP" */
enum block_state { BLOCK_FREE = 0xF, BLOCK_USED = 0xA };

struct block {
    uint32_t magic;
    uint32_t size; /* bytes behind the header, a multiple of 16 */
    struct block *next, *previous;
    enum block_state state;
    uint32_t unused[3]; /* what is behind a header is aligned to 16 */
};

extern struct block *first_block;
extern uint32_t heap_end;    /* virtual; the mapped part ends here */
extern uint32_t heap_blocks; /* used ones */
extern uint32_t heap_bytes;  /* in them */

void *heap_alloc(uint32_t size);

/* Returns false for what is no used block. */
bool heap_free(void *memory);

#endif
