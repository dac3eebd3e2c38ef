/* The console's command about tapes of operations. */
#include "tape/tape.h"
#include "lib/string.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

static void run(const struct tape *tape, const char *number)
{
    char error[96];
    uint32_t count;

    if (!parse_number(number, &count))
        return;
    tape_run(tape, count, error, sizeof(error));
    if (error[0] != '\0')
        answer_error("range", "%s", error);
    else
        answer_ok("operations=%u overhead=%u", count, tape->header->overhead);
}

MONITOR_COMMAND(tape, "info|run COUNT", "operations out of the boot module called tape")
{
    struct tape tape;
    const char *error;

    if (!expect_arguments(argc, argv, 2, 3))
        return;
    if ((error = tape_find(&tape)) != NULL)
        answer_error("state", "%s", error);
    else if (argc == 2 && strcmp(argv[1], "info") == 0)
        answer_ok("virtual=0x%08x operations=%u slots=%u", (unsigned)(uintptr_t)tape.header,
                  tape.header->operation_capacity, tape.header->slot_capacity);
    else if (argc == 3 && strcmp(argv[1], "run") == 0)
        run(&tape, argv[2]);
    else
        answer_error("usage", "tape info, or tape run COUNT");
}
