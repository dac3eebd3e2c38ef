/* The console's commands about pages of the current address space. */
#include "mm/layout.h"
#include "mm/paging/user.h"
#include "mm/paging/vmm.h"
#include "monitor/arguments.h"
#include "monitor/command.h"
#include "monitor/commands/pages.h"

static const struct word page_flags[] = {{"rw", PTE_WRITABLE},   {"user", PTE_USER},
                                         {"global", PTE_GLOBAL}, {"accessed", PTE_ACCESSED},
                                         {"dirty", PTE_DIRTY},   {"large", PTE_LARGE}};
enum { SETTABLE_FLAGS = 3 };

static bool parse_page_flags(int argc, char **argv, int first, uint32_t *flags)
{
    *flags = 0;
    for (int i = first; i < argc; i++) {
        if (!parse_word(argv[i], page_flags, SETTABLE_FLAGS, flags))
            return false;
    }
    return true;
}

static void answer_result(enum paging_result result, uintptr_t virtual, phys_t physical)
{
    switch (result) {
    case PAGING_OK:
        answer_ok("virtual=0x%08x physical=0x%08x", (unsigned)virtual, physical);
        return;
    case PAGING_NO_MEMORY:
        answer_error("memory", "no frame for a page table");
        return;
    case PAGING_OCCUPIED:
        answer_error("state", "0x%08x is mapped", (unsigned)virtual);
        return;
    case PAGING_NOT_MAPPED:
        answer_error("state", "0x%08x is not mapped", (unsigned)virtual);
        return;
    case PAGING_RANGE:
        answer_error("range", "not a page of user space, or flags that it may not have");
        return;
    }
}

/* Pages that are mapped by hand: of user space, and of no region, which brings its own into being.
 */
static bool by_hand(const struct space *space, uintptr_t virtual)
{
    const struct vmm_region *region = vmm_region_of(virtual);
    if (region && !(region->rights & VMM_USER))
        answer_error("range", "0x%08x is not user space", (unsigned)virtual);
    else if (user_region_of(space, virtual))
        answer_error("state", "0x%08x is in a user region", (unsigned)virtual);
    else
        return true;
    return false;
}

void map_by_hand(struct space *space, int count, char **arguments)
{
    uint32_t virtual, physical, flags;
    if (!parse_number(arguments[0], &virtual) || !parse_number(arguments[1], &physical) ||
        !parse_page_flags(count, arguments, 2, &flags) || !by_hand(space, virtual))
        return;
    answer_result(vmm_map(space, virtual, physical, flags), virtual, physical);
}

void unmap_by_hand(struct space *space, const char *argument)
{
    uint32_t virtual;
    if (!parse_number(argument, &virtual) || !by_hand(space, virtual))
        return;
    phys_t physical = 0;
    enum paging_result result = vmm_unmap(space, virtual, &physical);
    answer_result(result, virtual, physical);
}

MONITOR_COMMAND(map, "VIRTUAL PHYSICAL [rw] [user] [global]", "map one page of user space")
{
    if (expect_arguments(argc, argv, 3, 6))
        map_by_hand(current_space, argc - 1, argv + 1);
}

MONITOR_COMMAND(unmap, "VIRTUAL", "unmap one page of user space; its frame stays allocated")
{
    if (expect_arguments(argc, argv, 2, 2))
        unmap_by_hand(current_space, argv[1]);
}

MONITOR_COMMAND(protect, "VIRTUAL [rw] [user] [global]", "give one page these flags and no others")
{
    uint32_t virtual, flags;
    if (!expect_arguments(argc, argv, 2, 5) || !parse_number(argv[1], &virtual) ||
        !parse_page_flags(argc, argv, 2, &flags) || !by_hand(current_space, virtual))
        return;
    phys_t physical = 0;
    uint32_t new_flags;
    enum paging_result result = paging_protect(virtual, flags);
    if (result == PAGING_OK)
        paging_translate(virtual, &physical, &new_flags);
    answer_result(result, virtual, physical);
}

MONITOR_COMMAND(translate, "VIRTUAL", "follow the page tables")
{
    uint32_t virtual, flags;
    phys_t physical;
    if (!expect_arguments(argc, argv, 2, 2) || !parse_number(argv[1], &virtual))
        return;
    if (!paging_translate(virtual, &physical, &flags)) {
        answer_error("state", "0x%08x is not mapped", virtual);
        return;
    }
    char text[64];
    format_words(flags, page_flags, ARRAY_SIZE(page_flags), text, sizeof(text));
    answer_ok("physical=0x%08x flags=%s", physical, text);
}
