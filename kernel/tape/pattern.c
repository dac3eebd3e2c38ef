/* Contents of blocks that show whose they are. */
#include "tape/pattern.h"

#include "boot/window.h"
#include "lib/string.h"
#include "mm/layout.h"

/* Two odd numbers without much in common: 2^32 divided by the golden ratio, and one of a hash's. */
#define SLOT_STEP 0x9E3779B1u
#define WORD_STEP 0x85EBCA6Bu

#define PAGE_WORDS (PAGE_SIZE / sizeof(uint32_t))

/* An arithmetic sequence of words: all that a block can hold. */
struct sequence {
    uint32_t first, step;
};

static struct sequence sequence_of(uint32_t number)
{
    return (struct sequence){(number + 1) * SLOT_STEP, WORD_STEP};
}

/* The built-in copies of a word are single instructions; blocks need not be aligned. */
static void fill_bytes(uint8_t *bytes, uint32_t length, struct sequence sequence)
{
    uint32_t word = sequence.first;
    const uint8_t *end = bytes + (length & -sizeof(word));

    for (; bytes != end; bytes += sizeof(word), word += sequence.step)
        __builtin_memcpy(bytes, &word, sizeof(word));
    memcpy(bytes, &word, length % sizeof(word));
}

/* The offset of the first byte that is another; `length` when there is none. */
static uint32_t first_wrong_byte(const uint8_t *bytes, uint32_t length, struct sequence sequence)
{
    uint32_t words = length / sizeof(uint32_t), word = sequence.first, found, i;

    for (i = 0; i < words; i++, word += sequence.step) {
        __builtin_memcpy(&found, bytes + i * sizeof(found), sizeof(found));
        if (found != word)
            return i * sizeof(found) + __builtin_ctz(found ^ word) / 8;
    }
    found = word;
    memcpy(&found, bytes + i * sizeof(found), length % sizeof(found));
    return found == word ? length : i * sizeof(found) + __builtin_ctz(found ^ word) / 8;
}

static struct sequence behind_pages(struct sequence sequence, uint32_t pages)
{
    sequence.first += pages * PAGE_WORDS * sequence.step;
    return sequence;
}

static void fill_frame(phys_t frame, struct sequence sequence)
{
    static uint8_t page[PAGE_SIZE];

    if (frame < DIRECT_MAP_SIZE) {
        fill_bytes(PHYS_TO_VIRT(frame), PAGE_SIZE, sequence);
        return;
    }
    fill_bytes(page, PAGE_SIZE, sequence);
    physical_write(frame, page, PAGE_SIZE);
}

static uint32_t first_wrong_of_frame(phys_t frame, struct sequence sequence)
{
    static uint8_t page[PAGE_SIZE];

    if (frame < DIRECT_MAP_SIZE)
        return first_wrong_byte(PHYS_TO_VIRT(frame), PAGE_SIZE, sequence);
    physical_read(frame, page, PAGE_SIZE);
    return first_wrong_byte(page, PAGE_SIZE, sequence);
}

void pattern_fill(enum tape_memory memory, const struct tape_slot *slot, uint32_t number)
{
    struct sequence sequence = sequence_of(number);

    if (memory == TAPE_VIRTUAL)
        fill_bytes((uint8_t *)(uintptr_t)slot->value, slot->size, sequence);
    else if (memory == TAPE_PHYSICAL)
        for (uint32_t i = 0; i < slot->size; i++)
            fill_frame(slot->value + i * PAGE_SIZE, behind_pages(sequence, i));
}

static uint32_t first_wrong(enum tape_memory memory, const struct tape_slot *slot,
                            struct sequence sequence)
{
    uint32_t frames = memory == TAPE_PHYSICAL ? slot->size : 0;
    uint32_t bytes = memory == TAPE_VIRTUAL ? slot->size : 0;
    uint32_t offset;

    for (uint32_t i = 0; i < frames; i++) {
        offset = first_wrong_of_frame(slot->value + i * PAGE_SIZE, behind_pages(sequence, i));
        if (offset < PAGE_SIZE)
            return slot->value + i * PAGE_SIZE + offset;
    }
    offset = first_wrong_byte((const uint8_t *)(uintptr_t)slot->value, bytes, sequence);
    return offset < bytes ? slot->value + offset : 0;
}

uint32_t pattern_first_wrong(enum tape_memory memory, const struct tape_slot *slot, uint32_t number)
{
    return first_wrong(memory, slot, sequence_of(number));
}

uint32_t pattern_first_not_zero(enum tape_memory memory, const struct tape_slot *slot)
{
    return first_wrong(memory, slot, (struct sequence){0});
}
