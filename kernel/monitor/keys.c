/* Keys out of the bytes that a terminal sends. */
#include "monitor/keys.h"

#include "dev/serial.h"
#include "lib/types.h"

#define CONTROL(letter) ((letter) & 0x1F)
#define ESCAPE          0x1B
#define DELETE          0x7F

static int control_key(char byte)
{
    switch (byte) {
    case '\r':
    case '\n':
        return KEY_ENTER;
    case '\t':
        return KEY_COMPLETE;
    case '\b':
    case DELETE:
        return KEY_BACKSPACE;
    case CONTROL('A'):
        return KEY_HOME;
    case CONTROL('B'):
        return KEY_LEFT;
    case CONTROL('C'):
        return KEY_ABANDON;
    case CONTROL('D'):
        return KEY_DELETE;
    case CONTROL('E'):
        return KEY_END;
    case CONTROL('F'):
        return KEY_RIGHT;
    case CONTROL('K'):
        return KEY_ERASE_REST;
    case CONTROL('L'):
        return KEY_CLEAR_SCREEN;
    case CONTROL('N'):
        return KEY_DOWN;
    case CONTROL('P'):
        return KEY_UP;
    case CONTROL('U'):
        return KEY_ERASE_LINE;
    case CONTROL('W'):
        return KEY_ERASE_WORD;
    default:
        return KEY_NONE;
    }
}

/* ECMA-48 control sequences as xterm and its like send them; `parameter` in front of a tilde. */
static int sequence_key(char final, unsigned parameter)
{
    static const int tilde[] = {
        [1] = KEY_HOME, [3] = KEY_DELETE, [4] = KEY_END, [7] = KEY_HOME, [8] = KEY_END};

    switch (final) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'C':
        return KEY_RIGHT;
    case 'D':
        return KEY_LEFT;
    case 'H':
        return KEY_HOME;
    case 'F':
        return KEY_END;
    case '~':
        return parameter < ARRAY_SIZE(tilde) ? tilde[parameter] : KEY_NONE;
    default:
        return KEY_NONE;
    }
}

/*
 * Behind ESC: "[", parameters and a final letter, or "O" and a letter. A control character is none
 * of these: it ends the sequence and keeps its own meaning, so that a stray ESC eats no line end.
 */
static int escape_key(void)
{
    char byte = serial_read();
    unsigned parameter = 0;

    if (byte == '[' || byte == 'O') {
        byte = serial_read();
        for (; (byte >= '0' && byte <= '9') || byte == ';'; byte = serial_read())
            parameter = byte == ';' ? parameter : (parameter * 10 + byte - '0') % 1000;
        if (byte >= ' ' && byte != DELETE)
            return sequence_key(byte, parameter);
    }
    return byte >= ' ' && byte != DELETE ? KEY_NONE : control_key(byte);
}

int key_read(void)
{
    static bool after_return;
    char byte = serial_read();
    bool second_half = after_return && byte == '\n';

    after_return = byte == '\r';
    if (second_half)
        return KEY_NONE;
    if (byte == ESCAPE)
        return escape_key();
    return byte >= ' ' && byte < DELETE ? byte : control_key(byte);
}
