/* A store before paging is on, through no mapping at all, into data that nobody may change. */
#include "mm/layout.h"
#include "plants.h"

#define BOOT              __attribute__((section(".boot"), noinline, used))
#define PHYSICAL(pointer) ((volatile uint8_t *)((uintptr_t)(pointer) - KERNEL_BASE))

static const uint8_t constant[4] = {1, 2, 3, 4};
static const char plant_word[] = "plant=before_paging";

struct start {
    uint32_t flags, memory_lower, memory_upper, boot_device, command_line;
};

/* Called by entry.S of this folder with paging off, on the boot stack's physical addresses. */
BOOT void plant_at_entry(const struct start *information);
BOOT void plant_at_entry(const struct start *information)
{
    const volatile uint8_t *wanted = PHYSICAL(plant_word);
    const char *line = (const char *)information->command_line;

    for (; *line; line++) {
        uint32_t same = 0;
        while (wanted[same] && line[same] == wanted[same])
            same++;
        if (!wanted[same])
            *PHYSICAL(constant) = 0x5A; /* CULPRIT */
    }
}

void plant_before_paging(void)
{
}
