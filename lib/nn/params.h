/*
 * Named numbers with defaults: the parameters of objectives, optimisers and
 * schedules, resolved from a table, a header and the command line.
 */
#ifndef NN_PARAMS_H
#define NN_PARAMS_H

#include "base/err.h"
#include "base/spec.h"
#include "stream/value.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct param {
    const char *name; /* NULL ends a table */
    double otherwise; /* the default */
    double min, max;
    bool whole;       /* a whole number */
    const char *about;
} param;

/* All of the table at their defaults, in the table's order; NULL when memory is out. */
value *params_default(const param *table);
/* Set one by its value, checked against the table. `who` begins the message; kind is the error's. */
int params_set(value *v, const param *table, const char *name, double x, const char *who, enum err_kind kind, err *e);
/* Set from an operand's PARAMETER=VALUE, or from such a text (ERR_USAGE). */
int params_set_item(value *v, const param *table, const spec_item *item, const char *who, err *e);
int params_set_text(value *v, const param *table, const char *text, const char *who, err *e);
/* Set all that a header's map declares; unknown names are ERR_INPUT. */
int params_set_map(value *v, const param *table, const value *declared, const char *who, err *e);
/* The value of a parameter of the table. */
double params_get(const value *v, const char *name);

/* "NAME:lr=0.1,momentum=0.9": as an operand gives it, and the history records it. NULL when memory is out. */
value *params_text(const char *name, const value *v);

/* The rows for --list. */
void params_list(FILE *f, const param *table);

#endif
