#ifndef MONITOR_LINE_H
#define MONITOR_LINE_H

#define LINE_SIZE 256 /* bytes of a line at the console, with the terminator */

#endif
