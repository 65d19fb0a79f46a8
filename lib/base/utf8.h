/* UTF-8, as far as programs need it that mostly pass it on. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* Bytes of the well-formed character at s, of which n >= 1 bytes are there; 0 if there is none (Unicode, table 3-7). */
size_t utf8_length(const char *s, size_t n);

#endif
