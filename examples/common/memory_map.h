/* Which physical memory may be used. All addresses are physical, and must be mapped as such. */
#ifndef MEMORY_MAP_H
#define MEMORY_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "multiboot.h"

#define FRAME_SIZE 4096

/* Frames that end below this may exist. */
uint32_t last_usable_address(const struct multiboot_info *info);

/* Whether the whole frame is RAM, by the firmware's map. */
bool frame_is_usable(const struct multiboot_info *info, uint32_t frame);

/* Whether the kernel or something that the loader left is in the frame. */
bool frame_is_taken(const struct multiboot_info *info, uint32_t frame);

#endif
