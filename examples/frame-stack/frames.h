/*
 * The frame allocator: a stack of free frames, linked through the frames themselves.
 *
 *     free_frames ──► ┌──────┐  ┌──► ┌──────┐  ┌──► ┌──────┐
 *                     │ next ├──┘    │ next ├──┘    │ NULL │
 *                     │      │       │      │       │      │    each 4 KiB of RAM
 *                     └──────┘       └──────┘       └──────┘
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdint.h>

#include "multiboot.h"

struct free_frame {
    struct free_frame *next;
};

extern struct free_frame *free_frames;
extern uint32_t free_frame_count;
extern uint32_t managed_frame_count; /* free or allocated */

void frames_init(const struct multiboot_info *info);

/* One frame, or NULL when there is none. Its contents are what somebody left there. */
void *frame_alloc(void);
void frame_free(void *frame);

#endif
