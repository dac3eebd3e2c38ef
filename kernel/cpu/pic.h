#ifndef CPU_PIC_H
#define CPU_PIC_H

#include "lib/types.h"

/* The pair of 8259A interrupt controllers. */
#define IRQ_SERIAL          4 /* COM1 */
/* What the controllers answer when a request went away. */
#define IRQ_SPURIOUS_FIRST  7
#define IRQ_SPURIOUS_SECOND 15

/*
 * Put the 16 lines at VECTOR_IRQ, clear of the exceptions, mask all of them, and connect the
 * controllers to the CPU. Needs cpu_features_init.
 */
void pic_init(void);
/* Lines of the first controller only. False on a machine that has no such controller. */
bool pic_unmask(unsigned irq);
void pic_end_of_interrupt(void);

#endif
