/* What the kernel was built of and what it runs on. */
#include "boot/command_line.h"
#include "cpu/features.h"
#include "cpu/registers.h"
#include "lib/print.h"
#include "monitor/arguments.h"
#include "monitor/command.h"
#include "monitor/escape.h"

#define KERNEL_VERSION "0.1.0"

/* ELF note: name and description lengths, type, the name "GNU", then a SHA-1. */
struct build_id_note {
    uint32_t name_size, description_size, type;
    char name[4];
    uint8_t digest[20];
};
extern const struct build_id_note build_id_note; /* linker script */

MONITOR_COMMAND(version, "", "the kernel's version, build id and compiler")
{
    char digest[2 * sizeof(build_id_note.digest) + 1];
    char compiler[ESCAPED_SIZE(sizeof(__VERSION__))];

    if (!expect_arguments(argc, argv, 1, 1))
        return;
    for (unsigned i = 0; i < sizeof(build_id_note.digest); i++)
        ksnprintf(digest + 2 * i, 3, "%02x", build_id_note.digest[i]);
    answer_ok("version=%s build_id=%s compiler=\"%s\"", KERNEL_VERSION, digest,
              escaped(__VERSION__, compiler, sizeof(compiler)));
}

MONITOR_COMMAND(cpu, "", "what the CPU can do, and its control registers")
{
    static const struct {
        enum cpu_feature feature;
        const char *name;
    } known[] = {{CPU_INVLPG, "invlpg"},  {CPU_WP, "wp"},   {CPU_PSE, "pse"},
                 {CPU_PGE, "pge"},        {CPU_CR4, "cr4"}, {CPU_TSC, "tsc"},
                 {CPU_LOCAL_APIC, "apic"}};
    char names[64] = "none";
    size_t used = 0;

    if (!expect_arguments(argc, argv, 1, 1))
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
        if (cpu_has(known[i].feature))
            used += ksnprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? "," : "",
                              known[i].name);
    answer_ok("features=%s cr0=0x%08x cr3=0x%08x cr4=0x%08x", names, cr0_read(), cr3_read(),
              cr4_read());
}

MONITOR_COMMAND(cmdline, "", "the kernel's command line")
{
    static char text[ESCAPED_SIZE(COMMAND_LINE_MAX)];

    if (expect_arguments(argc, argv, 1, 1))
        answer_ok("cmdline=\"%s\"", escaped(command_line(), text, sizeof(text)));
}
