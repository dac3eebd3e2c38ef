/* Text of any origin within an answer's quotes. */
#include "monitor/escape.h"

#include "lib/print.h"

#define DELETE 0x7F

static size_t escape_character(uint8_t character, char *buffer, size_t size)
{
    if (character < ' ' || character == DELETE)
        return ksnprintf(buffer, size, "\\x%02x", character);
    if (character == '"' || character == '\\')
        return ksnprintf(buffer, size, "\\%c", character);
    return ksnprintf(buffer, size, "%c", character);
}

const char *escaped(const char *text, char *buffer, size_t size)
{
    char character[ESCAPED_SIZE(1) + 1];
    size_t used = 0;

    for (; *text != '\0'; text++) {
        size_t length = escape_character((uint8_t)*text, character, sizeof(character));

        if (used + length >= size)
            break;
        ksnprintf(buffer + used, size - used, "%s", character);
        used += length;
    }
    buffer[used] = '\0';
    return buffer;
}
