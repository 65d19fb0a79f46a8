/*
 * What a whole stream holds: samples counted by split and class, and each
 * field compared with what the header declares.
 */
#ifndef STREAM_TALLY_H
#define STREAM_TALLY_H

#include "base/buf.h"
#include "base/err.h"
#include "stream/header.h"
#include "stream/stream.h"
#include "stream/value.h"

typedef struct tally_row {
    char *split, *class_name; /* owned; "" where a sample has none */
    int64_t n;
} tally_row;

/* Zero-initialise; tally_clear() at the end. */
typedef struct tally {
    tally_row *row; /* sorted by split, then class */
    size_t n, cap;
    int64_t samples;
} tally;

/* ERR_INPUT when a field contradicts the header. Any other fields are welcome. */
int tally_add(tally *t, const header *h, const sample *s, err *e);
void tally_clear(tally *t);

/* A table "split class samples" with a line of headings; nothing when no sample had either. */
int tally_text(const tally *t, buf *out, err *e);
/* [{"split", "class", "samples"}, ...]; NULL when memory is out. */
value *tally_value(const tally *t);

#endif
