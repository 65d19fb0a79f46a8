/*
 * Command lines from one table: parsing, --help and suggestions all come from
 * the same rows. GNU style: --name=value, --name value, -nvalue, -ab for two
 * flags, options and operands in any order, `--` ends the options.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef enum opt_type {
    OPT_FLAG,   /* bool *: becomes true */
    OPT_INT,    /* int64_t *: decimal, with k/M/G suffixes (powers of 1000) and Ki/Mi/Gi (1024) */
    OPT_DOUBLE, /* double * */
    OPT_STRING, /* const char **: borrowed from argv */
    OPT_LIST,   /* opt_list *: the option may be given several times */
    OPT_SECTION /* no option: `help` is a heading for the rows below it */
} opt_type;

typedef struct opt_list {
    const char **v; /* owned array of borrowed strings; free(v) */
    int n;
} opt_list;

typedef struct opt {
    char letter;      /* 0: long form only */
    const char *name; /* long name, without the dashes; NULL ends the table unless OPT_SECTION */
    opt_type type;
    void *dst;
    const char *arg;  /* the value's name in --help, e.g. "N" */
    const char *help; /* one line or several; say the default and the unit */
    double min, max;  /* for OPT_INT and OPT_DOUBLE, when min < max */
} opt;

/*
 * Parse argv[1..argc-1] over two tables (the second may be NULL). Operands are
 * moved, in order, to argv[1..*n_operands]. ERR_USAGE names the option and,
 * where one is near, the option that may have been meant.
 */
int opt_parse(const opt *table, const opt *common, int argc, char **argv, int *n_operands, err *e);

/* The option rows of --help, aligned. */
void opt_print(FILE *f, const opt *table);

/*
 * Numbers as options take them, for values inside operands too.
 * The whole string must be the number; 0 or -1 (no message).
 */
int opt_int(const char *s, int64_t *v);
int opt_double(const char *s, double *v);

/* The nearest of n candidates to `word` for a "did you mean", or NULL if none is near. */
const char *opt_nearest(const char *word, const char *const *candidates, int n);

#endif
