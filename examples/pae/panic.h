#ifndef PANIC_H
#define PANIC_H

/* Say what is wrong and halt. */
__attribute__((noreturn)) void panic(const char *message);

#endif
