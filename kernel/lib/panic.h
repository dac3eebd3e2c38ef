#ifndef LIB_PANIC_H
#define LIB_PANIC_H

/*
 * Stop the machine for good. Prints "panic: MESSAGE", a stack trace, "panic: end", tells QEMU
 * (pvpanic) and halts with interrupts off. A panic inside a panic halts at once.
 */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * A machine on which this kernel cannot work through no fault of its own (no usable memory, too
 * little of it). Prints "panic: refused: MESSAGE" and otherwise ends as panic() does.
 */
_Noreturn void refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            panic("assertion failed: %s (%s:%d)", #condition, __FILE__, __LINE__);                 \
    } while (0)

#endif
