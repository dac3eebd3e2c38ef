#ifndef TAPE_TAPE_H
#define TAPE_TAPE_H

#include "lib/types.h"

/*
 * A tape: many operations on the memory manager, carried out at one command of the console, since
 * a serial line is too slow for a million. It is a boot module whose string ends with the word
 * "tape", made and filled by whoever starts the machine. In it lie, at offsets that the header
 * gives, the operations, a result for each, and the slots: what allocations gave, by number.
 * Slots are kept from run to run, so that a long sequence is fed in pieces.
 */
enum { TAPE_MAGIC = 0x65706174 };

/* What an operation does; see tape/action.h for how kinds come into being. */
enum tape_kind {
    TAPE_FRAMES_ALLOC, /* size: frames; the slot gets a physical address */
    TAPE_FRAMES_FREE,  /* size: frames */
    TAPE_HEAP_ALLOC,   /* size: bytes; the slot gets a virtual address */
    TAPE_HEAP_FREE,
    TAPE_USER_ALLOC, /* size: pages of a region of user space, whose address the slot gets */
    TAPE_USER_FREE,
    TAPE_TOUCH_READ,   /* size: a virtual address; the value is its word, or TAPE_FAULT */
    TAPE_TOUCH_WRITE,  /* the same; cache: what to write */
    TAPE_SPACE_CREATE, /* the slot gets the number of an address space */
    TAPE_SPACE_DESTROY,
    TAPE_SPACE_SWITCH, /* to the slot's space; to the kernel's when the slot is empty */
    TAPE_SLAB_ALLOC,   /* cache: the cache's number in slab_caches; size: of its objects */
    TAPE_SLAB_FREE,
    TAPE_SLAB_GROW,       /* the value is 1, or 0 without a frame */
    TAPE_SLAB_REAP,       /* the value is how many frames were given back */
    TAPE_USER_HEAP_ALLOC, /* size: bytes of the heap of sub-blocks in user space; the slot gets a
                             virtual address, 0 too in an address space that has not that heap */
    TAPE_USER_HEAP_FREE,
    TAPE_KINDS = 256,
};

enum tape_flag {
    TAPE_DMA = 1 << 0, /* the first four are those of the frame interface */
    TAPE_NORMAL = 1 << 1,
    TAPE_HIGH = 1 << 2,
    TAPE_ZERO = 1 << 3,
    TAPE_FILL = 1 << 6,  /* behind an allocation: fill the block with its slot's pattern */
    TAPE_CHECK = 1 << 7, /* in front of a free: the pattern must be there; behind an allocation
                            with TAPE_ZERO: zeros must */
};

struct tape_operation {
    uint8_t kind;   /* enum tape_kind */
    uint8_t flags;  /* enum tape_flag */
    uint16_t cache; /* for kinds that choose among several allocators */
    uint32_t slot;
    uint32_t size;
};

/* In a result's ticks: a check found a wrong byte. A free's value is then that byte's address. */
enum { TAPE_WRONG = 1u << 31 };

/* The value of a touch that faults. */
enum { TAPE_FAULT = 0xFFFFFFFFu };

struct tape_result {
    uint32_t value; /* what was given, 0 for nothing; of other kinds what they say */
    uint32_t ticks; /* of the time stamp counter, for the call alone; TAPE_WRONG */
};

struct tape_slot {
    uint32_t value; /* 0: empty */
    uint32_t size;  /* of the block: bytes, or frames as they were granted */
};

/* Offsets are in bytes from the header. Only the last three are written by the kernel. */
struct tape_header {
    uint32_t magic;
    uint32_t operation_capacity, slot_capacity;
    uint32_t operations, results, slots;
    uint32_t count;    /* operations of this run, or of the last */
    uint32_t position; /* the operation under way; `count` at the end */
    uint32_t overhead; /* ticks of a call that does nothing: taken off every result */
};

/* A tape with its arrays as pointers. */
struct tape {
    struct tape_header *header;
    const struct tape_operation *operations;
    struct tape_result *results;
    struct tape_slot *slots;
};

/* Find the tape. NULL, or why there is none that can be used. */
const char *tape_find(struct tape *tape);

/*
 * Carry out the first `count` operations. Nothing is done when one of them is impossible: "" or
 * why, and which one, in `error`. An allocation into a slot that is not empty ends the run there.
 * An operation on an empty slot that should not be (its allocation failed) gives 0 and does
 * nothing.
 */
void tape_run(const struct tape *tape, uint32_t count, char *error, size_t size);

#endif
