#ifndef DEV_PVPANIC_H
#define DEV_PVPANIC_H

/* Tell QEMU, when it listens, that the guest has panicked; it then pauses the machine. */
void pvpanic_notify(void);

#endif
