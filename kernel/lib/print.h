#ifndef LIB_PRINT_H
#define LIB_PRINT_H

#include "lib/types.h"

#include <stdarg.h>

/*
 * Formatted output to the console. Understands %c %s %d %u %x %p %llu %llx %%, a width and
 * zero padding (%08x), and '-' for left alignment; "\n" is sent as "\r\n".
 */
void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kvprintf(const char *format, va_list arguments);

/* The same into a buffer of `size` bytes, always terminated; returns the length wanted. */
size_t ksnprintf(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
