#ifndef MM_HEAP_KMALLOC_H
#define MM_HEAP_KMALLOC_H

#include "lib/types.h"
#include "mm/heap/heap.h"

/* In front of each block, at the start of its area. */
struct block_header {
    size_t size;    /* asked for, in bytes */
    uint32_t magic; /* KMALLOC_MAGIC while the block lives, KMALLOC_FREED after kfree */
};

enum kmalloc_magic { KMALLOC_MAGIC = 0xC0FFEE11u, KMALLOC_FREED = 0xDEADBEEFu };

struct kmalloc_statistics {
    uint32_t blocks, bytes, frames; /* live */
    uint32_t failures;
};

extern struct kmalloc_statistics kmalloc_statistics;

/*
 * A block of at least `size` bytes, aligned to 8, in frames of its own; NULL when size is 0, too
 * large for the areas, or memory is exhausted (nothing is then kept).
 */
void *kmalloc(size_t size);

enum kfree_result { KFREE_OK, KFREE_NOT_A_BLOCK, KFREE_BAD_MAGIC };

/* kfree(NULL) does nothing. A pointer that kmalloc did not give, or a header overwritten, panics.
 */
void kfree(void *address);
/* The same without panicking, for those who can tell a person. */
enum kfree_result kfree_checked(void *address);

extern const struct heap kmalloc_heap;

#endif
