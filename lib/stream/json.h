/* JSON (RFC 8259) to values; value_json() is the other way. */
#ifndef STREAM_JSON_H
#define STREAM_JSON_H

#include "stream/value.h"

/* Exactly one value in n bytes, white space around it. Nesting is at most 16. NULL and ERR_INPUT. */
value *json_parse(const char *p, size_t n, err *e);

#endif
