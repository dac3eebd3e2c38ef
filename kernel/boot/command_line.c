/* A copy of the command line, and its NAME=VALUE options. */
#include "boot/command_line.h"

#include "boot/window.h"
#include "lib/print.h"
#include "lib/string.h"

static char text[COMMAND_LINE_MAX];

void command_line_set(phys_t address, uint32_t length)
{
    if (length > sizeof(text)) {
        kprintf("boot: command line of %u characters: cut at %u\n", length - 1,
                (uint32_t)sizeof(text) - 1);
        length = sizeof(text);
    }
    physical_read(address, text, length);
    text[length - 1] = '\0';
}

const char *command_line(void)
{
    return text;
}

static size_t word_length(const char *word)
{
    size_t length = 0;

    while (word[length] != '\0' && word[length] != ' ')
        length++;
    return length;
}

/* The value behind NAME= when this word is that option. */
static const char *value_of(const char *word, const char *name)
{
    size_t length = strlen(name);

    if (strncmp(word, name, length) != 0 || word[length] != '=')
        return NULL;
    return word + length + 1;
}

/* The last one wins: what a person appends overrides what stood there. */
static const char *find_value(const char *name)
{
    const char *found = NULL;

    for (const char *word = text; *word != '\0';) {
        const char *value = value_of(word, name);

        found = value != NULL ? value : found;
        word += word_length(word);
        while (*word == ' ')
            word++;
    }
    return found;
}

const char *command_line_option(const char *name, char *buffer, size_t size)
{
    const char *value = find_value(name);
    size_t length = value != NULL ? word_length(value) : 0;

    if (value == NULL)
        return NULL;
    if (length >= size) {
        kprintf("boot: the value of %s is too long: ignored\n", name);
        return NULL;
    }
    memcpy(buffer, value, length);
    buffer[length] = '\0';
    return buffer;
}
