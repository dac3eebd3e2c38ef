#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

/* Read lines from the console and answer each, for ever. */
_Noreturn void monitor_run(void);

#endif
