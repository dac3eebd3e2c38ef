/*
 * The command line on the serial port. A request is "TAG: COMMAND [ARGUMENT]", its answer
 * "TAG: ok [NAME=VALUE]" or "TAG: error WORD: why".
 */
#ifndef MONITOR_H
#define MONITOR_H

__attribute__((noreturn)) void monitor_run(void);

#endif
