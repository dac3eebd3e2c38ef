/* Numbers, words and counts of a command's arguments. */
#include "monitor/arguments.h"

#include "lib/print.h"
#include "lib/string.h"
#include "monitor/command.h"
#include "monitor/registry.h"

/* 16 or more when the character is no digit in any base. */
static unsigned digit_value(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    if (character >= 'A' && character <= 'F')
        return character - 'A' + 10;
    return 16;
}

/* False when it is no number in this base, or one of more than 32 bits. */
static bool parse_digits(const char *text, unsigned base, uint32_t *number)
{
    uint32_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        unsigned digit = digit_value(*text);

        if (digit >= base || value > (UINT32_MAX - digit) / base)
            return false;
        value = value * base + digit;
    }
    *number = value;
    return true;
}

bool parse_number(const char *text, uint32_t *number)
{
    bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

    if (hexadecimal ? parse_digits(text + 2, 16, number) : parse_digits(text, 10, number))
        return true;
    answer_error("usage", "'%s' is no number of 32 bits, decimal or 0x…", text);
    return false;
}

bool parse_word(const char *text, const struct word *words, size_t count, uint32_t *flags)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, words[i].name) == 0) {
            *flags |= words[i].flag;
            return true;
        }
    }
    answer_error("usage", "%s is not known here", text);
    return false;
}

void format_words(uint32_t flags, const struct word *words, size_t count, char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (flags & words[i].flag)
            used += ksnprintf(text + used, size - used, used ? ",%s" : "%s", words[i].name);
    }
    if (used == 0)
        ksnprintf(text, size, "none");
}

bool expect_arguments(int argc, char **argv, int least, int most)
{
    if (argc >= least && argc <= most)
        return true;
    char usage[USAGE_SIZE];
    answer_error("usage", "%s arguments: %s", argc < least ? "too few" : "too many",
                 command_usage(command_find(argv[0]), usage));
    return false;
}
