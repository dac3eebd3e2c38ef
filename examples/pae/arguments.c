#include "arguments.h"

char *next_word(char **text)
{
    char *word;

    while (**text == ' ')
        (*text)++;
    word = *text;
    while (**text && **text != ' ')
        (*text)++;
    if (**text)
        *(*text)++ = '\0';
    return word;
}

bool same(const char *one, const char *other)
{
    while (*one && *one == *other)
        one++, other++;
    return *one == *other;
}

static uint32_t digit(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    return UINT32_MAX;
}

bool parse_number(const char *word, uint32_t *number)
{
    bool hexadecimal = word[0] == '0' && word[1] == 'x';
    uint32_t base = hexadecimal ? 16 : 10;
    uint64_t value = 0;

    word += hexadecimal ? 2 : 0;
    if (!*word)
        return false;
    for (; *word; word++) {
        if (digit(*word) >= base)
            return false;
        value = value * base + digit(*word);
        if (value > UINT32_MAX)
            return false;
    }
    *number = value;
    return true;
}
