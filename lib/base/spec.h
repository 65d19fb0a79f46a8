/*
 * Operands that name a row of a table and set its parameters:
 *
 *     NAME[:ITEM[,ITEM...]]      ITEM is VALUE (by position) or PARAMETER=VALUE
 *     crop:32,scale=0.2-1        jitter:0.4,0.4,0.4,0.1,p=0.8        rotate:angles=4
 *
 * This splits them; what names and values mean is for the table's owner.
 */
#ifndef BASE_SPEC_H
#define BASE_SPEC_H

#include "base/err.h"

#define SPEC_MAX_ITEMS 32

typedef struct spec_item {
    const char *name; /* NULL: given by position */
    const char *value;
} spec_item;

typedef struct spec {
    char *text; /* owned; the strings below point into it */
    const char *name;
    int n;
    spec_item item[SPEC_MAX_ITEMS];
} spec;

/* 0 or -1: ERR_USAGE quotes the operand. spec_clear() is due only after 0. */
int spec_parse(spec *s, const char *text, err *e);
void spec_clear(spec *s);

#endif
