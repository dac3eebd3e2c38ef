/* The few functions of <string.h> that are wanted here. */
#include "lib/string.h"

/* Freestanding compilers still call these four by name for copies and comparisons of their own. */

void *memset(void *destination, int byte, size_t length)
{
    void *to = destination;
    size_t words = length / 4, rest = length % 4;
    uint32_t pattern = (uint8_t)byte * 0x01010101u;

    __asm__ volatile("rep stosl" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
    return destination;
}

void *memcpy(void *destination, const void *source, size_t length)
{
    void *to = destination;
    size_t words = length / 4, rest = length % 4;

    __asm__ volatile("rep movsl" : "+D"(to), "+S"(source), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(source), "+c"(rest) : : "memory");
    return destination;
}

/* Overlap does harm only when the destination begins inside the source; then copy downwards. */
void *memmove(void *destination, const void *source, size_t length)
{
    char *to = (char *)destination + length - 1;
    const char *from = (const char *)source + length - 1;

    if ((uintptr_t)destination - (uintptr_t)source >= length)
        return memcpy(destination, source, length);
    __asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
    return destination;
}

int memcmp(const void *left, const void *right, size_t length)
{
    const uint8_t *a = left, *b = right;

    for (size_t i = 0; i < length; i++)
        if (a[i] != b[i])
            return a[i] - b[i];
    return 0;
}

size_t strlen(const char *string)
{
    size_t length = 0;

    while (string[length] != '\0')
        length++;
    return length;
}

int strcmp(const char *left, const char *right)
{
    return strncmp(left, right, SIZE_MAX);
}

int strncmp(const char *left, const char *right, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (left[i] != right[i] || left[i] == '\0')
            return (uint8_t)left[i] - (uint8_t)right[i];
    return 0;
}
