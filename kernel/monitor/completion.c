/* What the tabulator key makes of the command's name at the end of the line. */
#include "monitor/completion.h"

#include "lib/print.h"
#include "lib/string.h"
#include "monitor/registry.h"

static const char *skip_spaces(const char *text)
{
    while (*text == ' ')
        text++;
    return text;
}

/* The unfinished name, or NULL when the line already goes on behind it. */
static const char *unfinished_name(const char *line)
{
    const char *name = skip_spaces(line);

    if (*name == '#') {
        while (*name != ' ' && *name != '\0')
            name++;
        if (*name == '\0')
            return NULL;
        name = skip_spaces(name);
    }
    for (const char *rest = name; *rest != '\0'; rest++)
        if (*rest == ' ')
            return NULL;
    return name;
}

static size_t common_length(const char *left, const char *right)
{
    size_t length = 0;

    while (left[length] != '\0' && left[length] == right[length])
        length++;
    return length;
}

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static void list_choices(const char *name, char *found, size_t size)
{
    size_t used = 0;

    for_each_command(command)
    {
        if (begins_with(command->name, name) && used < size)
            used +=
                ksnprintf(found + used, size - used, "%s%s", used > 0 ? " " : "", command->name);
    }
}

enum completion completion_find(const char *line, char *found, size_t size)
{
    const char *name = unfinished_name(line), *first = NULL;
    size_t common = 0;
    unsigned matches = 0;

    if (name == NULL)
        return COMPLETION_NONE;
    for_each_command(command)
    {
        if (!begins_with(command->name, name))
            continue;
        first = matches++ == 0 ? command->name : first;
        common = matches == 1 ? strlen(first)
                 : common_length(first, command->name) < common
                     ? common_length(first, command->name)
                     : common;
    }
    if (matches == 0)
        return COMPLETION_NONE;
    if (common == strlen(name) && matches > 1) {
        list_choices(name, found, size);
        return COMPLETION_CHOICES;
    }
    common -= strlen(name);
    memcpy(found, first + strlen(name), common);
    ksnprintf(found + common, size - common, "%s", matches == 1 ? " " : "");
    return COMPLETION_TEXT;
}
