/* The console's commands about address spaces. */
#include "mm/paging/space.h"

#include "lib/print.h"
#include "lib/string.h"
#include "mm/paging/vmm.h"
#include "monitor/arguments.h"
#include "monitor/command.h"
#include "monitor/commands/pages.h"

enum { LISTED = 16 };

static void create(void)
{
    struct space *space = space_create();
    if (space)
        answer_ok("space=%u directory=0x%08x", space->id, space->directory);
    else
        answer_error("memory", "no frame for an address space");
}

static void list(void)
{
    char text[LISTED * 24] = "";
    uint32_t count = 0;
    size_t used = 0;
    list_for_each(node, &spaces)
    {
        const struct space *space = list_entry(node, struct space, list);
        if (count++ < LISTED)
            used += ksnprintf(text + used, sizeof(text) - used, used ? ",%u:0x%08x" : "%u:0x%08x",
                              space->id, space->directory);
    }
    answer_ok("spaces=%u current=%u first=%s", count, current_space->id, text);
}

/* The space that an argument names; answers and returns NULL when there is none. */
static struct space *parse_space(const char *text)
{
    uint32_t id;
    if (!parse_number(text, &id))
        return NULL;
    struct space *space = space_find(id);
    if (!space)
        answer_error("state", "there is no address space %u", id);
    return space;
}

static void switch_to(struct space *space)
{
    vmm_switch(space);
    answer_ok("space=%u directory=0x%08x", space->id, space->directory);
}

static void destroy(struct space *space)
{
    uint32_t id = space->id;
    space_destroy(space);
    answer_ok("space=%u", id);
}

/* What acts on all spaces; false when argv[1] says nothing of that. */
static bool act_on_all(const char *verb)
{
    if (strcmp(verb, "create") == 0)
        create();
    else if (strcmp(verb, "list") == 0)
        list();
    else
        return false;
    return true;
}

static bool is_verb(const char *verb, int argc)
{
    bool alone = strcmp(verb, "switch") == 0 || strcmp(verb, "destroy") == 0;
    return (alone && argc == 3) || (strcmp(verb, "unmap") == 0 && argc == 4) ||
           (strcmp(verb, "map") == 0 && argc >= 5);
}

/* What acts on one space, with its own arguments from argv[3] on. */
static void act_on_one(struct space *space, int argc, char **argv)
{
    if (strcmp(argv[1], "switch") == 0)
        switch_to(space);
    else if (strcmp(argv[1], "destroy") == 0)
        destroy(space);
    else if (strcmp(argv[1], "unmap") == 0)
        unmap_by_hand(space, argv[3]);
    else
        map_by_hand(space, argc - 3, argv + 3);
}

MONITOR_COMMAND(space,
                "create | list | switch|destroy ID | map ID VIRTUAL PHYSICAL … | unmap ID VIRTUAL",
                "address spaces; destroying the current one or the kernel's panics")
{
    if (!expect_arguments(argc, argv, 2, 8))
        return;
    if (argc == 2 && act_on_all(argv[1]))
        return;
    if (!is_verb(argv[1], argc)) {
        answer_error("usage", "space create|list, switch|destroy ID, map ID VIRTUAL PHYSICAL or "
                              "unmap ID VIRTUAL");
        return;
    }
    struct space *space = parse_space(argv[2]);
    if (space)
        act_on_one(space, argc, argv);
}
