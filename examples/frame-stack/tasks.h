/* Tasks that nobody runs: each is a frame of its own, record below and stack above. */
#ifndef TASKS_H
#define TASKS_H

#include <stdint.h>

#include "memory_map.h"

struct task {
    struct task *next;
    uint32_t number;
    uint8_t stack[FRAME_SIZE - 8];
};

extern struct task *tasks; /* the newest first */

void task_create(uint32_t number);

/* End the newest one, if there is one. */
void task_end(void);

#endif
