#ifndef LIB_PANIC_STEPS_H
#define LIB_PANIC_STEPS_H

/* What every report that ends the machine begins and ends with; its lines stand in between. */

/* Returns the first time only: a panic inside a panic stops at once, without a word. */
void panic_begin(void);
/* "panic: end", then stop. */
_Noreturn void panic_end(void);

#endif
