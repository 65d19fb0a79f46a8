/* Parameters between text and numbers. */
#ifndef AUGMENT_ARGUMENT_H
#define AUGMENT_ARGUMENT_H

#include "image/augment/operation.h"

/* Read `text` as a value of p. ERR_USAGE says what would be right, without naming the operation. */
int argument_parse(argument *a, const param *p, const char *text, err *e);
/* Append the value as argument_parse() reads it back, exactly. */
int argument_text(const argument *a, const param *p, buf *out, err *e);
/* A double in the fewest digits that read back equal. */
int argument_number(double v, buf *out, err *e);

#endif
