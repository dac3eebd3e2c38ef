/* The console's commands about user regions of the current address space. */
#include "mm/paging/user.h"

#include "lib/print.h"
#include "lib/string.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

enum { LISTED = 16 };

static void answer_alloc(enum user_result result, uintptr_t start, uint32_t pages)
{
    switch (result) {
    case USER_OK:
        answer_ok("virtual=0x%08x pages=%u", (unsigned)start, pages);
        return;
    case USER_NO_MEMORY:
        answer_error("memory", "no room for a region of %u pages", pages);
        return;
    case USER_OCCUPIED:
        answer_error("state", "%u pages from 0x%08x on are not free", pages, (unsigned)start);
        return;
    case USER_RANGE:
        answer_error("range", "%u pages from 0x%08x on are not user space", pages, (unsigned)start);
        return;
    }
}

static void alloc(int argc, char **argv)
{
    uint32_t pages, start;
    if (!parse_number(argv[2], &pages))
        return;
    if (argc == 3) {
        start = user_alloc(pages);
        answer_alloc(start ? USER_OK : USER_NO_MEMORY, start, pages);
    } else if (parse_number(argv[3], &start)) {
        answer_alloc(user_alloc_at(start, pages), start, pages);
    }
}

static void free(const char *argument)
{
    uint32_t start;
    if (!parse_number(argument, &start))
        return;
    user_free(start);
    answer_ok("virtual=0x%08x", start);
}

/* The first ones by name, all of them in numbers. */
static void list(void)
{
    char text[LISTED * 24] = "";
    uint32_t count = 0, pages = 0, frames = 0;
    size_t used = 0;
    list_for_each(node, &current_space->regions)
    {
        const struct user_region *region = list_entry(node, struct user_region, list);
        if (count++ < LISTED)
            used += ksnprintf(text + used, sizeof(text) - used, used ? ",0x%08x+%u" : "0x%08x+%u",
                              (unsigned)region->start, region->pages);
        pages += region->pages;
        frames += region->frames;
    }
    answer_ok("space=%u regions=%u pages=%u frames=%u first=%s", current_space->id, count, pages,
              frames, used ? text : "none");
}

MONITOR_COMMAND(user, "alloc PAGES [VIRTUAL] | free VIRTUAL | list",
                "regions whose pages appear when touched; freeing what is none panics")
{
    if (!expect_arguments(argc, argv, 2, 4))
        return;
    if (strcmp(argv[1], "alloc") == 0 && argc >= 3)
        alloc(argc, argv);
    else if (strcmp(argv[1], "free") == 0 && argc == 3)
        free(argv[2]);
    else if (strcmp(argv[1], "list") == 0 && argc == 2)
        list();
    else
        answer_error("usage", "user alloc PAGES [VIRTUAL], user free VIRTUAL or user list");
}
