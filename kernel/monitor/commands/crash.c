/* Every way for this kernel to end, on purpose: for those who must tell them apart. */
#include "cpu/descriptors.h"
#include "cpu/io.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/layout.h"
#include "monitor/command.h"

#define NOINLINE __attribute__((noinline))

static NOINLINE void crash_divide(void)
{
    __asm__ volatile("divl %2" : : "a"(1), "d"(0), "r"(0));
}

/* The condition is always true, which the compiler must not see. */
static NOINLINE unsigned crash_recurse(volatile unsigned *depth)
{
    volatile unsigned local = *depth + 1;

    return local != 0 ? crash_recurse(&local) + local : 0;
}

static void crash_overflow(void)
{
    volatile unsigned depth = 0;

    crash_recurse(&depth);
}

static NOINLINE void crash_invalid_opcode(void)
{
    __asm__ volatile("ud2");
}

static NOINLINE void crash_breakpoint(void)
{
    __asm__ volatile("int3");
}

static NOINLINE void crash_general_protection(void)
{
    __asm__ volatile("mov %w0, %%fs" : : "r"(0x1230)); /* beyond the GDT */
}

/* A page of user space, which appears when a region is there and a frame for it. */
static NOINLINE void crash_user_fault(void)
{
    *(volatile uint32_t *)USER_START = 0;
}

static NOINLINE void crash_page_fault(void)
{
    __asm__ volatile("movl $0, (%0)" : : "r"(4) : "memory"); /* page 0 is never mapped */
}

static NOINLINE void crash_write_rodata(void)
{
    *(volatile uint32_t *)kernel_rodata_start = 0;
}

static NOINLINE void crash_write_text(void)
{
    *(volatile uint32_t *)kernel_text_start = 0;
}

/* The fault's own frame cannot be pushed either. */
static NOINLINE void crash_double_fault(void)
{
    __asm__ volatile("mov %0, %%esp; push %0" : : "r"(16) : "memory");
}

static NOINLINE void crash_panic(void)
{
    panic("asked for by the monitor");
}

static NOINLINE void crash_assert(void)
{
    bool memory_is_sound = false;

    ASSERT(memory_is_sound);
}

/* The message cannot be read: printing it faults while the panic is under way. */
static NOINLINE void crash_nested(void)
{
    panic("%s", (const char *)4);
}

/* With an empty IDT no exception can be delivered, nor the double fault that follows from it. */
static NOINLINE void crash_triple(void)
{
    struct table_register empty = {0, 0};

    __asm__ volatile("lidt %0; int3" : : "m"(empty));
}

/* Intel PIIX3, section 2.5.5.1 "Reset Control Register"; then the keyboard controller's way. */
#define RESET_CONTROL      0xCF9
#define RESET_HARD         0x02
#define RESET_HARD_NOW     0x06
#define KEYBOARD_COMMAND   0x64
#define KEYBOARD_RESET_CPU 0xFE

static NOINLINE void crash_reset(void)
{
    out8(RESET_CONTROL, RESET_HARD);
    out8(RESET_CONTROL, RESET_HARD_NOW);
    out8(KEYBOARD_COMMAND, KEYBOARD_RESET_CPU);
}

static NOINLINE void crash_hang(void)
{
    for (;;)
        __asm__ volatile("cli");
}

static NOINLINE void crash_halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

static const struct {
    const char *name;
    void (*run)(void);
} kinds[] = {
    {"assert", crash_assert},
    {"breakpoint", crash_breakpoint},
    {"divide", crash_divide},
    {"double-fault", crash_double_fault},
    {"general-protection", crash_general_protection},
    {"halt", crash_halt},
    {"hang", crash_hang},
    {"invalid-opcode", crash_invalid_opcode},
    {"nested", crash_nested},
    {"overflow", crash_overflow},
    {"page-fault", crash_page_fault},
    {"panic", crash_panic},
    {"reset", crash_reset},
    {"triple", crash_triple},
    {"user-fault", crash_user_fault},
    {"write-rodata", crash_write_rodata},
    {"write-text", crash_write_text},
};

static void answer_kinds(void)
{
    char names[256];
    size_t used = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
        used += ksnprintf(names + used, sizeof(names) - used, " %s", kinds[i].name);
    answer_error("usage", "crash KIND, one of:%s", names);
}

/* Answers only when nothing crashed: the machine's end is the answer. */
MONITOR_COMMAND(crash, "KIND", "end the machine in a chosen way; without KIND, say which there are")
{
    for (unsigned i = 0; argc == 2 && i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(kinds[i].name, argv[1]) == 0) {
            kinds[i].run();
            answer_error("state", "the machine has survived %s", argv[1]);
            return;
        }
    }
    answer_kinds();
}
