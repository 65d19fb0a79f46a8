/* Tab-separated tables with a line of names, several as one. Lines that begin with # are passed over. */
#ifndef PLOT_TABLE_H
#define PLOT_TABLE_H

#include "base/buf.h"
#include "base/names.h"
#include "plot/plot.h"

enum { TABLE_COLUMNS = 64 };

typedef struct table {
    name_set columns;
    char **cell; /* [rows][TABLE_COLUMNS], NULL where a row has no such column; owned array of owned strings */
    size_t rows, cap;
} table;

/*
 * Append all rows of input i. With `label`, the column "file" is added and holds it. ERR_INPUT names the
 * line that has too many or too few cells.
 */
int table_read(table *t, const plot_request *q, int i, const char *label, err *e);
void table_clear(table *t);

/* A column's number, or -1. */
int table_column(const table *t, const char *name);
/* A cell, or "". */
const char *table_cell(const table *t, size_t row, int column);

/* Drop the rows that do not match each COLUMN=VALUE. ERR_USAGE where there is no such column, or none is left. */
int table_where(table *t, const opt_list *where, err *e);

#endif
