#include "tasks.h"

#include <stddef.h>

#include "frames.h"
#include "panic.h"

struct task *tasks;

_Static_assert(sizeof(struct task) == FRAME_SIZE, "a task is one frame");

void task_create(uint32_t number)
{
    struct task *task = frame_alloc();

    if (!task)
        panic("no frame for a task");
    task->number = number;
    task->next = tasks;
    tasks = task;
}

void task_end(void)
{
    struct task *task = tasks;

    if (!task)
        return;
    tasks = task->next;
    frame_free(task);
}
