#ifndef MONITOR_COMMAND_H
#define MONITOR_COMMAND_H

#include "lib/types.h"

/*
 * A command of the console's monitor. Definitions anywhere in the kernel are gathered by the
 * linker (section .monitor_commands), sorted by name.
 *
 *     MONITOR_COMMAND(alloc, "ORDER [dma|normal|high] [zero]", "allocate 2^ORDER frames")
 *     {
 *         ...
 *         answer_ok("physical=0x%08x order=%u", physical, order);
 *     }
 *
 * A command answers exactly once: one line, "ok KEY=VALUE …" or "error CODE: words", with the
 * request's tag in front. argv[0] is the command's name; argc <= 16.
 */
struct monitor_command {
    const char *name;
    const char *arguments;
    const char *help;
    void (*run)(int argc, char **argv);
};

#define MONITOR_COMMAND(identifier, usage, text)                                                   \
    static void command_##identifier(int argc, char **argv);                                       \
    static const struct monitor_command monitor_command_##identifier                               \
        __attribute__((used, section(".monitor_commands." #identifier), aligned(4))) = {           \
            #identifier, usage, text, command_##identifier};                                       \
    static void command_##identifier(int argc __attribute__((unused)),                             \
                                     char **argv __attribute__((unused)))

void answer_ok(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* CODE is one lower-case word: usage, range, memory, state, unknown, … */
void answer_error(const char *code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
