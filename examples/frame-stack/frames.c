#include "frames.h"

#include <stddef.h>

#include "memory_map.h"
#include "panic.h"

struct free_frame *free_frames;
uint32_t free_frame_count;
uint32_t managed_frame_count;

void frames_init(const struct multiboot_info *info)
{
    uint32_t frame;

    /* From the top down, so that the lowest frames are given out first; frame 0 never is. */
    for (frame = last_usable_address(info) / FRAME_SIZE; frame-- > 1;) {
        if (frame_is_usable(info, frame * FRAME_SIZE) &&
            !frame_is_taken(info, frame * FRAME_SIZE)) {
            frame_free((void *)(frame * FRAME_SIZE));
            managed_frame_count++;
        }
    }
}

void *frame_alloc(void)
{
    struct free_frame *frame = free_frames;

    if (frame) {
        free_frames = frame->next;
        free_frame_count--;
    }
    return frame;
}

void frame_free(void *address)
{
    struct free_frame *frame = address;

    if ((uint32_t)frame % FRAME_SIZE)
        panic("a frame was freed that is none");
    frame->next = free_frames;
    free_frames = frame;
    free_frame_count++;
}
