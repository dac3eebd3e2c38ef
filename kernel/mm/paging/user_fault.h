#ifndef MM_PAGING_USER_FAULT_H
#define MM_PAGING_USER_FAULT_H

#include "lib/types.h"

/*
 * For the trap handler, on a page fault: bring the page at `address` into being when a region of
 * the current space wants it. False when the access stays a fault; `error` is the CPU's error code.
 */
bool user_fault(uintptr_t address, uint32_t error);

/* Why an access to user space stays a fault. */
struct user_refusal {
    const char *word, *sentence; /* for programs, for people */
};

/* Why the last page fault was not answered, when it was in user space; else NULL. */
const struct user_refusal *user_fault_refusal(void);

#endif
