#include "monitor.h"

#include <stddef.h>

#include "arguments.h"
#include "frames.h"
#include "heap.h"
#include "print.h"
#include "serial.h"

#define LONGEST_LINE 80

struct command {
    const char *name;
    bool takes_number;
    void (*run)(uint32_t number);
};

static void error(const char *what)
{
    print("error ");
    print(what);
}

static void answer_address(const char *name, uint32_t address)
{
    if (!address) {
        error("memory: there is not enough");
        return;
    }
    print("ok ");
    print(name);
    print_address(address);
}

static void answer_freed(bool freed)
{
    if (freed)
        print("ok");
    else
        error("address: nothing was allocated there");
}

static void run_alloc(uint32_t unused)
{
    (void)unused;
    answer_address("physical=", frame_alloc(OWNER_CALLER));
}

static void run_free(uint32_t address)
{
    answer_freed(frame_free(address, OWNER_CALLER));
}

static void run_malloc(uint32_t size)
{
    answer_address("virtual=", (uint32_t)heap_alloc(size));
}

static void run_mfree(uint32_t address)
{
    answer_freed(heap_free((void *)address));
}

static void run_frames(uint32_t unused)
{
    (void)unused;
    print("ok free=");
    print_number(free_frame_count);
}

static const struct command commands[] = {
    {"alloc", false, run_alloc}, {"free", true, run_free},      {"malloc", true, run_malloc},
    {"mfree", true, run_mfree},  {"frames", false, run_frames},
};

static const struct command *find_command(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (same(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static void run(char *text)
{
    const struct command *command = find_command(next_word(&text));
    char *argument = next_word(&text);
    uint32_t number = 0;

    if (!command)
        error("command: there are alloc, free, malloc, mfree, frames");
    else if (*next_word(&text) ||
             (command->takes_number ? !parse_number(argument, &number) : *argument != '\0'))
        error(command->takes_number ? "argument: one number is wanted"
                                    : "argument: none is wanted");
    else
        command->run(number);
}

/* Read one line without its end; what is too long is cut off. */
static void read_line(char *line)
{
    uint32_t length = 0;
    char character;

    while ((character = serial_get()) != '\r' && character != '\n') {
        if (length < LONGEST_LINE)
            line[length++] = character;
        serial_put(character);
    }
    line[length] = '\0';
    print("\n");
}

void monitor_run(void)
{
    char line[LONGEST_LINE + 1];
    char *text;

    for (;;) {
        print("> ");
        read_line(line);
        text = line;
        print(next_word(&text));
        print(" ");
        run(text);
        print("\n");
    }
}
