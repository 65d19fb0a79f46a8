#include "plot/table.h"

#include <stdlib.h>
#include <string.h>

int table_column(const table *t, const char *name)
{
    return names_find(&t->columns, name, strlen(name));
}

const char *table_cell(const table *t, size_t row, int column)
{
    const char *s = column >= 0 ? t->cell[row * TABLE_COLUMNS + (size_t)column] : NULL;

    return s ? s : "";
}

void table_clear(table *t)
{
    for (size_t i = 0; i < t->rows * TABLE_COLUMNS; i++)
        free(t->cell[i]);
    free(t->cell);
    names_clear(&t->columns);
    *t = (table){0};
}

static int column_number(table *t, const char *name, size_t n, err *e)
{
    int c = names_number(&t->columns, name, n, e);

    return c < TABLE_COLUMNS ? c : err_set(e, ERR_INPUT, "more than %d columns", TABLE_COLUMNS);
}

/* Which columns a line of names means. */
static int read_names(table *t, const char *line, int *number, err *e)
{
    int n = 0;

    for (const char *p = line;; p++) {
        size_t len = strcspn(p, "\t");
        if (len == 0 || n == TABLE_COLUMNS || memchr(p, '{', len))
            return err_set(e, ERR_INPUT, "the first line names no columns");
        if ((number[n++] = column_number(t, p, len, e)) < 0)
            return -1;
        p += len;
        if (!*p)
            return n;
    }
}

static char **new_row(table *t, err *e)
{
    if (t->rows == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 64;
        char **cell = realloc(t->cell, cap * TABLE_COLUMNS * sizeof *cell);
        if (!cell) {
            err_nomem(e);
            return NULL;
        }
        t->cell = cell;
        t->cap = cap;
    }
    char **row = t->cell + t->rows++ * TABLE_COLUMNS;
    memset(row, 0, TABLE_COLUMNS * sizeof *row);
    return row;
}

static int read_row(table *t, const char *line, const int *number, int n, int file, const char *label, err *e)
{
    char **row = new_row(t, e);
    int i = 0;

    if (!row || (label && !(row[file] = strdup(label))))
        return row ? err_nomem(e) : -1;
    for (const char *p = line;; p++, i++) {
        size_t len = strcspn(p, "\t");
        if (i == n)
            return err_set(e, ERR_INPUT, "more cells than columns");
        free(row[number[i]]);
        if (!(row[number[i]] = strndup(p, len)))
            return err_nomem(e);
        p += len;
        if (!*p)
            break;
    }
    return i + 1 == n ? 0 : err_set(e, ERR_INPUT, "fewer cells than columns");
}

int table_read(table *t, const plot_request *q, int i, const char *label, err *e)
{
    int number[TABLE_COLUMNS], n = 0, line = 0, rc, file = label ? column_number(t, "file", 4, e) : 0;
    buf b = {0};
    char *save = NULL;

    if (file < 0 || plot_read(q, i, &b, e) || buf_add(&b, "", 1, e)) {
        buf_free(&b);
        return -1;
    }
    rc = 0;
    if (strlen((char *)b.p) + 1 != b.n)
        rc = err_set(e, ERR_INPUT, "'%s' is no text", q->inputs[i]);
    for (char *p = (char *)b.p; rc == 0 && p && *p; p = save) {
        save = strchr(p, '\n');
        if (save)
            *save++ = '\0';
        line++;
        if (!*p || *p == '#')
            continue;
        if (n == 0 ? (n = read_names(t, p, number, e)) < 0 : read_row(t, p, number, n, file, label, e))
            rc = err_prefix(e, "'%s', line %d", q->inputs[i], line);
    }
    if (rc == 0 && t->rows == 0)
        rc = err_set(e, ERR_INPUT, "'%s' has no rows", q->inputs[i]);
    buf_free(&b);
    return rc;
}

int table_where(table *t, const opt_list *where, err *e)
{
    for (int k = 0; k < where->n; k++) {
        const char *equals = strchr(where->v[k], '=');
        int c = equals ? names_find(&t->columns, where->v[k], (size_t)(equals - where->v[k])) : -1;
        size_t kept = 0;
        if (!equals)
            return err_set(e, ERR_USAGE, "option '--where': '%s' is not COLUMN=VALUE", where->v[k]);
        if (c < 0)
            return err_set(e, ERR_INPUT, "there is no column '%.*s' (--where %s)", (int)(equals - where->v[k]), where->v[k], where->v[k]);
        for (size_t i = 0; i < t->rows; i++) {
            char **row = t->cell + i * TABLE_COLUMNS;
            if (strcmp(table_cell(t, i, c), equals + 1) == 0) {
                char *moved[TABLE_COLUMNS];
                memcpy(moved, row, sizeof moved);
                if (kept != i)
                    memcpy(t->cell + kept * TABLE_COLUMNS, moved, sizeof moved);
                kept++;
            } else {
                for (int j = 0; j < TABLE_COLUMNS; j++)
                    free(row[j]);
            }
        }
        t->rows = kept;
        if (kept == 0)
            return err_set(e, ERR_INPUT, "no row has %s", where->v[k]);
    }
    return 0;
}
