#ifndef PRINT_H
#define PRINT_H

#include <stdint.h>

void print(const char *text);
void print_number(uint32_t number);   /* decimal */
void print_address(uint32_t address); /* 0x and eight digits */

#endif
