/* The VGA text screen: 80 columns, 25 lines, a character and a colour for each cell. */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdint.h>

#define GREY_ON_BLACK 0x07
#define WHITE_ON_RED  0x4F

void screen_clear(void);
void screen_colour(uint8_t colour);
void screen_print(const char *text);
void screen_print_number(uint32_t number);

#endif
