/* Numbers for people. */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include <stdint.h>

/* 1234567 -> "1,234,567". Returns out. */
const char *format_commas(int64_t v, char out[32]);

#endif
