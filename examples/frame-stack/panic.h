#ifndef PANIC_H
#define PANIC_H

/* Say what is wrong, in white on red, and halt. */
__attribute__((noreturn)) void panic(const char *message);

#endif
