/* One line, typed, changed and shown. */
#include "monitor/line_editor.h"

#include "dev/serial.h"
#include "lib/print.h"
#include "lib/string.h"
#include "monitor/completion.h"
#include "monitor/history.h"
#include "monitor/keys.h"

#define ERASE_TO_END "\x1b[K"
#define CLEAR_SCREEN "\x1b[H\x1b[2J"

/* The terminal's cursor always stands behind `cursor` characters of `text`. */
struct editor {
    const char *prompt;
    char *text; /* LINE_SIZE; always terminated */
    size_t length;
    size_t cursor;
    unsigned age; /* of the history line shown; 0 = the new one */
    bool too_long;
};

static void move_to(struct editor *editor, size_t position)
{
    for (; editor->cursor > position; editor->cursor--)
        serial_write('\b');
    for (; editor->cursor < position; editor->cursor++)
        serial_write(editor->text[editor->cursor]);
}

/* Show what stands behind the cursor again, after it has changed, and leave the cursor there. */
static void show_rest(struct editor *editor)
{
    size_t position = editor->cursor;

    kprintf("%s" ERASE_TO_END, editor->text + position);
    editor->cursor = editor->length;
    move_to(editor, position);
}

static void redraw(struct editor *editor)
{
    size_t position = editor->cursor;

    kprintf("%s", editor->prompt);
    editor->cursor = 0;
    move_to(editor, editor->length);
    move_to(editor, position);
}

static void insert(struct editor *editor, char character)
{
    char *place = editor->text + editor->cursor;

    if (editor->length + 1 >= LINE_SIZE) {
        editor->too_long = true;
        return;
    }
    memmove(place + 1, place, editor->length - editor->cursor + 1);
    *place = character;
    editor->length++;
    editor->cursor++;
    serial_write(character);
    if (editor->cursor < editor->length)
        show_rest(editor);
}

/* Remove the characters from `start` to `end` and leave the cursor at `start`. */
static void erase(struct editor *editor, size_t start, size_t end)
{
    if (start == end)
        return;
    memmove(editor->text + start, editor->text + end, editor->length - end + 1);
    move_to(editor, start);
    editor->length -= end - start;
    if (editor->length == 0)
        editor->too_long = false; /* what did not fit is gone as well */
    show_rest(editor);
}

/* Where the word that ends at the cursor begins; spaces behind it belong to it. */
static size_t word_start(const struct editor *editor)
{
    size_t position = editor->cursor;

    while (position > 0 && editor->text[position - 1] == ' ')
        position--;
    while (position > 0 && editor->text[position - 1] != ' ')
        position--;
    return position;
}

static void replace(struct editor *editor, const char *text)
{
    erase(editor, 0, editor->length);
    while (*text != '\0')
        insert(editor, *text++);
}

/* The new line is not kept while older ones are shown: coming back to it gives an empty one. */
static void recall(struct editor *editor, unsigned age)
{
    const char *line = age == 0 ? "" : history_get(age);

    if (line == NULL || age == editor->age)
        return;
    editor->age = age;
    replace(editor, line);
}

static void complete(struct editor *editor)
{
    char found[LINE_SIZE];

    if (editor->cursor != editor->length)
        return;
    switch (completion_find(editor->text, found, sizeof(found))) {
    case COMPLETION_TEXT:
        for (const char *rest = found; *rest != '\0'; rest++)
            insert(editor, *rest);
        break;
    case COMPLETION_CHOICES:
        kprintf("\n%s\n", found);
        redraw(editor);
        break;
    case COMPLETION_NONE:
        break;
    }
}

static void edit(struct editor *editor, int key)
{
    size_t cursor = editor->cursor, length = editor->length;

    switch (key) {
    case KEY_BACKSPACE:
        erase(editor, cursor > 0 ? cursor - 1 : 0, cursor);
        break;
    case KEY_DELETE:
        erase(editor, cursor, cursor < length ? cursor + 1 : length);
        break;
    case KEY_ERASE_WORD:
        erase(editor, word_start(editor), cursor);
        break;
    case KEY_ERASE_LINE:
        erase(editor, 0, cursor);
        break;
    case KEY_ERASE_REST:
        erase(editor, cursor, length);
        break;
    case KEY_LEFT:
        move_to(editor, cursor > 0 ? cursor - 1 : 0);
        break;
    case KEY_RIGHT:
        move_to(editor, cursor < length ? cursor + 1 : length);
        break;
    case KEY_HOME:
        move_to(editor, 0);
        break;
    case KEY_END:
        move_to(editor, length);
        break;
    case KEY_UP:
        recall(editor, editor->age + 1);
        break;
    case KEY_DOWN:
        recall(editor, editor->age > 0 ? editor->age - 1 : 0);
        break;
    case KEY_COMPLETE:
        complete(editor);
        break;
    case KEY_CLEAR_SCREEN:
        kprintf(CLEAR_SCREEN);
        redraw(editor);
        break;
    default:
        if (key >= ' ' && key < 0x7F)
            insert(editor, (char)key);
    }
}

bool line_read(const char *prompt, char line[LINE_SIZE])
{
    struct editor editor = {.prompt = prompt, .text = line};
    int key;

    line[0] = '\0';
    kprintf("%s", prompt);
    while ((key = key_read()) != KEY_ENTER && key != KEY_ABANDON)
        edit(&editor, key);
    kprintf("\n");
    if (key == KEY_ABANDON) {
        line[0] = '\0';
        return true;
    }
    history_add(line);
    return !editor.too_long;
}
