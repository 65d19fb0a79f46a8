/*
 * Headers and samples as text for people: what ssl-show prints. Strings of the
 * stream are shown with control characters escaped, so that no stream can
 * steer a terminal.
 */
#ifndef STREAM_DESCRIBE_H
#define STREAM_DESCRIBE_H

#include "base/buf.h"
#include "base/err.h"
#include "stream/header.h"
#include "stream/stream.h"
#include "stream/value.h"

/* Kind, fields, classes, counts, objective, input transform and history, one topic a paragraph. */
int describe_header(const header *h, buf *out, err *e);

/* The header as one value, for JSON; NULL when memory is out. The caller frees it. */
value *describe_header_value(const header *h);

/*
 * The n-th sample: its scalars on one line; below, a line for each tensor with
 * dtype, shape and the values when they are few, else their minimum, maximum
 * and mean. Of a model's samples only the tensors' lines.
 */
int describe_sample(const header *h, const sample *s, int64_t n, buf *out, err *e);

/* n bytes of a string with control characters, quotes and bad UTF-8 left as they are but harmless: \n, \x1b. */
int describe_text(const char *s, size_t n, buf *out, err *e);

#endif
