/*
 * The frame allocator: one bit a frame, 1 = free, and a record of one byte that says whose it is.
 *
 * Frames are counted from FIRST_FRAME: bit 0 and record 0 are about the frame at 1 MiB.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"
#include "multiboot.h"

enum owner {
    OWNER_RESERVED, /* not managed: no RAM, the image, or the boot loader's */
    OWNER_NOBODY,
    OWNER_PAGE_TABLE,
    OWNER_HEAP,
    OWNER_CALLER,
};

struct frame {
    uint8_t owner : 7;
    uint8_t usable : 1; /* RAM, reserved or not */
};

extern uint32_t free_bits[FRAME_COUNT / 32];
extern struct frame frames[FRAME_COUNT];
extern uint32_t free_frame_count;

/* Memory must be mapped where it is. */
void frames_init(const struct multiboot_info *info);

/* The physical address of the lowest free frame, 0 when there is none. */
uint32_t frame_alloc(enum owner owner);

/* Returns false for what `owner` does not have. */
bool frame_free(uint32_t address, enum owner owner);

/* Whether there is RAM in a frame, counted from FIRST_FRAME. */
static inline bool frame_usable(uint32_t index)
{
    return frames[index].usable;
}

#endif
