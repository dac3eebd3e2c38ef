#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A physical address below 4 GiB. Never a pointer: it cannot be dereferenced. */
typedef uint32_t phys_t;

/* A physical frame number: a physical address divided by PAGE_SIZE. */
typedef uint32_t pfn_t;

#define ARRAY_SIZE(array)                   (sizeof(array) / sizeof((array)[0]))
#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

#endif
