#ifndef MM_PAGING_RECORDS_H
#define MM_PAGING_RECORDS_H

#include "lib/list.h"
#include "lib/types.h"

/*
 * Records of one size in frames of their own (PAGE_METADATA), which are chained and stay for ever.
 * Each record begins with a struct list_head, by which unused ones wait on `spare`.
 */
struct record_frame {
    struct record_frame *next;
};

struct record_pool {
    size_t size; /* of one record */
    struct record_frame *frames;
    struct list_head spare;
};

#define RECORD_POOL(name, type) {sizeof(type), NULL, LIST_INITIALISER((name).spare)}

/* A record on no list, its other members as they were left; NULL when there is no frame for more.
 */
void *record_take(struct record_pool *pool);
/* The record must be on no list. */
void record_return(struct record_pool *pool, void *record);

#endif
