#include "frames.h"

#include "memory_map.h"

#define BITS 32

uint32_t free_bits[FRAME_COUNT / BITS];
struct frame frames[FRAME_COUNT];
uint32_t free_frame_count;

static uint32_t address_of(uint32_t index)
{
    return (FIRST_FRAME + index) * FRAME_SIZE;
}

static void release(uint32_t index)
{
    frames[index].owner = OWNER_NOBODY;
    free_bits[index / BITS] |= 1u << index % BITS;
    free_frame_count++;
}

void frames_init(const struct multiboot_info *info)
{
    uint32_t end = last_usable_address(info), i;

    for (i = 0; i < FRAME_COUNT && address_of(i) < end; i++) {
        frames[i].usable = frame_is_usable(info, address_of(i));
        if (frames[i].usable && !frame_is_taken(info, address_of(i)))
            release(i);
    }
}

uint32_t frame_alloc(enum owner owner)
{
    uint32_t word = 0, index;

    while (word < FRAME_COUNT / BITS && !free_bits[word])
        word++;
    if (word == FRAME_COUNT / BITS)
        return 0;
    index = word * BITS + __builtin_ctz(free_bits[word]);
    free_bits[word] &= free_bits[word] - 1;
    frames[index].owner = owner;
    free_frame_count--;
    return address_of(index);
}

bool frame_free(uint32_t address, enum owner owner)
{
    uint32_t index = address / FRAME_SIZE - FIRST_FRAME;

    if (address % FRAME_SIZE || index >= FRAME_COUNT || frames[index].owner != owner)
        return false;
    release(index);
    return true;
}
