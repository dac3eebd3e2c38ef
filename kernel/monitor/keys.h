#ifndef MONITOR_KEYS_H
#define MONITOR_KEYS_H

/* Printable characters are themselves; the rest of what a terminal sends: */
enum key {
    KEY_NONE = 0, /* nothing that means anything here */
    KEY_ENTER = 256,
    KEY_ABANDON,
    KEY_BACKSPACE,
    KEY_DELETE,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_UP,
    KEY_DOWN,
    KEY_HOME,
    KEY_END,
    KEY_ERASE_LINE,
    KEY_ERASE_WORD,
    KEY_ERASE_REST,
    KEY_CLEAR_SCREEN,
    KEY_COMPLETE,
};

/* The next key from the console; CR, LF and CR LF are one KEY_ENTER each. */
int key_read(void);

#endif
