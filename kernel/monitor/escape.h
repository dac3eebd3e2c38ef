#ifndef MONITOR_ESCAPE_H
#define MONITOR_ESCAPE_H

#include "lib/types.h"

/* Room for the escaped form of a string of `size` bytes, terminators included in both. */
#define ESCAPED_SIZE(size) (4 * (size))

/*
 * Make a text of any origin fit between the quotes of an answer's key="value": \" for a quote,
 * \\ for a backslash, and \xNN for a control character, which might end the answer's line. Cut, at
 * a whole character, where `size` bytes do not hold it. Returns `buffer`.
 */
const char *escaped(const char *text, char *buffer, size_t size);

#endif
