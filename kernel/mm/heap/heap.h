#ifndef MM_HEAP_HEAP_H
#define MM_HEAP_HEAP_H

#include "lib/types.h"

/* What a heap's live blocks hold. */
struct heap_counts {
    uint32_t blocks;
    uint32_t bytes;  /* of these blocks: as asked for, or as rounded up where it keeps no more */
    uint32_t frames; /* that the heap has */
    uint32_t failures;
};

/* An allocator of blocks of any size: kernel pointers, NULL when there is no room. */
struct heap {
    const char *name;            /* heap=NAME on the command line */
    void (*init)(void);          /* NULL: it needs none */
    void *(*alloc)(size_t size); /* NULL when size is 0 or there is no room (nothing is kept) */
    void (*free)(void *address); /* NULL: nothing. What is no live block panics and says why */
    const char *(*check)(const void *address); /* NULL when it may be freed, else why not */
    void (*count)(struct heap_counts *counts);
};

/* The one in charge, chosen by heap_choose for good. */
extern const struct heap *heap;

/* Choose by heap=NAME or the preset; kmalloc without either. */
void heap_choose(void);
/* The last step of mm_init. */
void heap_init(void);
void *heap_alloc(size_t size);
void heap_free(void *address);

#endif
