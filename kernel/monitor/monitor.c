/* The console's loop: read a line, take it apart, let its command answer. */
#include "monitor/monitor.h"

#include "monitor/answer.h"
#include "monitor/command.h"
#include "monitor/line_editor.h"
#include "monitor/registry.h"

#define PROMPT        "mm> "
#define ARGUMENTS_MAX 16

/* Cut the line at its spaces, in place; the number of words, at most ARGUMENTS_MAX + 1. */
static int split(char *line, char **words)
{
    int count = 0;

    while (*line != '\0' && count <= ARGUMENTS_MAX) {
        while (*line == ' ')
            *line++ = '\0';
        if (*line == '\0')
            break;
        words[count++] = line;
        while (*line != ' ' && *line != '\0')
            line++;
    }
    return count;
}

/* "#7": the sign and a decimal number. */
static bool is_tag(const char *word)
{
    if (word[0] != '#' || word[1] == '\0')
        return false;
    for (word++; *word != '\0'; word++)
        if (*word < '0' || *word > '9')
            return false;
    return true;
}

static void run(int argc, char **argv)
{
    const struct monitor_command *command = argc > 0 ? command_find(argv[0]) : NULL;

    if (argc == 0)
        answer_error("usage", "no command behind the tag");
    else if (argv[0][0] == '#')
        answer_error("usage", "a tag is # and a decimal number, in front of one command");
    else if (command == NULL)
        answer_error("unknown", "no command '%s'; try help", argv[0]);
    else if (argc > ARGUMENTS_MAX)
        answer_error("usage", "more than %d words", ARGUMENTS_MAX);
    else
        command->run(argc, argv);
}

static void carry_out(char *line, bool too_long)
{
    char *words[ARGUMENTS_MAX + 2];
    int count = split(line, words);
    bool tagged = count > 0 && is_tag(words[0]);

    if (count == 0 && !too_long)
        return;
    answer_begin(tagged ? words[0] : "");
    if (too_long)
        answer_error("usage", "the line is longer than %d characters", LINE_SIZE - 1);
    else
        run(count - tagged, words + tagged);
    answer_end();
}

void monitor_run(void)
{
    static char line[LINE_SIZE];

    for (;;) {
        bool too_long = !line_read(PROMPT, line);

        carry_out(line, too_long);
    }
}
