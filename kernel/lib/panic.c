/* The ordered end of the machine. */
#include "lib/panic.h"

#include "cpu/stack_trace.h"
#include "dev/pvpanic.h"
#include "lib/panic_steps.h"
#include "lib/print.h"

static _Noreturn void stop(void)
{
    pvpanic_notify();
    for (;;)
        __asm__ volatile("cli; hlt");
}

void panic_begin(void)
{
    static bool panicking;

    __asm__ volatile("cli");
    if (panicking)
        stop();
    panicking = true;
}

void panic_end(void)
{
    kprintf("panic: end\n");
    stop();
}

/* The trace begins at the call of panic() or refuse(), which `caller` returns to. */
static _Noreturn void report(const char *kind, const char *format, va_list arguments,
                             const void *caller, uintptr_t frame_pointer)
{
    panic_begin();
    kprintf("panic: %s", kind);
    kvprintf(format, arguments);
    kprintf("\n");
    stack_trace_print((uintptr_t)caller, frame_pointer);
    panic_end();
}

/* The caller's frame: where the frame pointer of the function that reports was saved. */
static uintptr_t saved(const void *frame_pointer)
{
    return *(const uintptr_t *)frame_pointer;
}

void panic(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report("", format, arguments, __builtin_return_address(0), saved(__builtin_frame_address(0)));
}

void refuse(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report("refused: ", format, arguments, __builtin_return_address(0),
           saved(__builtin_frame_address(0)));
}
