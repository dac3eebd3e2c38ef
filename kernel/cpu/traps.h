#ifndef CPU_TRAPS_H
#define CPU_TRAPS_H

/* Load the descriptor tables; from here on every exception is reported. Interrupts stay off. */
void traps_init(void);

#endif
