/*
 * A confusion matrix, from what `ssl-probe --confusion` prints, as a table or
 * as JSON: a row a true class, a column a predicted one.
 */
#include "plot/look.h"
#include "plot/plot.h"
#include "stream/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN = 20, MAX_CLASSES = 1000, NUMBERS_UP_TO = 30 };

typedef struct matrix {
    char *method, *setting, *labels; /* owned, like all below */
    char **class_name;
    int64_t *count; /* [n][n] */
    int n;
} matrix;

static void matrix_clear(matrix *m)
{
    for (int i = 0; m->class_name && i < m->n; i++)
        free(m->class_name[i]);
    free(m->class_name);
    free(m->count);
    free(m->method);
    free(m->setting);
    free(m->labels);
    *m = (matrix){0};
}

/* Whether this is the matrix that --where asks for. */
static bool wanted(const matrix *m, const opt_list *where)
{
    for (int i = 0; i < where->n; i++) {
        const char *w = where->v[i];
        const char *is = strncmp(w, "method=", 7) == 0 ? m->method : strncmp(w, "setting=", 8) == 0 ? m->setting : m->labels;
        if (strcmp(strchr(w, '=') + 1, is) != 0)
            return false;
    }
    return true;
}

static int check_where(const opt_list *where, err *e)
{
    for (int i = 0; i < where->n; i++)
        if (strncmp(where->v[i], "method=", 7) && strncmp(where->v[i], "setting=", 8) && strncmp(where->v[i], "labels=", 7))
            return err_set(e, ERR_USAGE, "option '--where': '%s' is not method=, setting= or labels=", where->v[i]);
    return 0;
}

static int allocate(matrix *m, int n, err *e)
{
    if (n < 1 || n > MAX_CLASSES)
        return err_set(e, ERR_INPUT, "a confusion matrix of %d classes; from 1 to %d can be drawn", n, MAX_CLASSES);
    m->n = n;
    m->class_name = calloc((size_t)n, sizeof *m->class_name);
    m->count = calloc((size_t)n * (size_t)n, sizeof *m->count);
    return m->class_name && m->count ? 0 : err_nomem(e);
}

/* ---- The table's comment lines ----------------------------------------------------------- */

/* The next cell of a line, cut out of it; NULL after the last. */
static char *next_cell(char **p)
{
    char *cell = *p, *tab;

    if (!cell)
        return NULL;
    tab = strchr(cell, '\t');
    *p = tab ? tab + 1 : NULL;
    if (tab)
        *tab = '\0';
    return cell;
}

static char *next_line(char **p)
{
    char *line = *p, *end;

    if (!line || !*line)
        return NULL;
    end = strchr(line, '\n');
    *p = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return line;
}

/* From its line "# confusion" on. */
static int read_block(matrix *m, char *first, char **text, err *e)
{
    char *p = first, *line = NULL, *cell;
    int n = 0;

    next_cell(&p);
    char *method = next_cell(&p), *setting = next_cell(&p), *labels = next_cell(&p);
    m->method = strdup(method ? method : "");
    m->setting = strdup(setting ? setting : "");
    m->labels = strdup(labels ? labels : "");
    if (!m->method || !m->setting || !m->labels)
        return err_nomem(e);
    char *names = next_line(text);
    for (char *c = names; c && *c; c++)
        n += *c == '\t';
    if (!names || strncmp(names, "# true", 6) != 0 || allocate(m, n, e))
        return names && n > MAX_CLASSES ? -1 : err_set(e, ERR_INPUT, "a confusion matrix without the names of its columns");
    next_cell(&names);
    for (int i = 0; i < n; i++)
        if (!(m->class_name[i] = strdup(next_cell(&names))))
            return err_nomem(e);
    for (int i = 0; i < n; i++) {
        line = next_line(text);
        if (!line || strncmp(line, "# ", 2) != 0)
            return err_set(e, ERR_INPUT, "a confusion matrix ends early");
        next_cell(&line);
        for (int j = 0; j < n; j++) {
            char *end;
            cell = next_cell(&line);
            m->count[i * n + j] = cell ? strtoll(cell, &end, 10) : -1;
            if (!cell || *end || m->count[i * n + j] < 0)
                return err_set(e, ERR_INPUT, "the confusion matrix's row '%s' holds no counts", m->class_name[i]);
        }
        if (line)
            return err_set(e, ERR_INPUT, "the confusion matrix's row '%s' is too long", m->class_name[i]);
    }
    return 0;
}

/* 1: found, 0: none there, -1. */
static int read_table(matrix *m, char *text, const opt_list *where, int *seen, err *e)
{
    char *line;

    while ((line = next_line(&text))) {
        if (strncmp(line, "# confusion\t", 12) != 0)
            continue;
        if (read_block(m, line, &text, e))
            return -1;
        ++*seen;
        if (wanted(m, where))
            return 1;
        matrix_clear(m);
    }
    return 0;
}

/* ---- JSON -------------------------------------------------------------------------------- */

static int take_json(matrix *m, const value *classes, const value *r, err *e)
{
    const value *rows = value_get(r, "confusion");
    int n = (int)classes->n;

    if (rows->type != VALUE_ARRAY || rows->n != classes->n)
        return err_set(e, ERR_INPUT, "the confusion matrix and the classes differ in size");
    if (allocate(m, n, e))
        return -1;
    for (int i = 0; i < n; i++) {
        const value *name = classes->child[i], *row = rows->child[i];
        if (name->type != VALUE_STR || row->type != VALUE_ARRAY || row->n != classes->n)
            return err_set(e, ERR_INPUT, "the confusion matrix and the classes differ in size");
        if (!(m->class_name[i] = strdup(name->s)))
            return err_nomem(e);
        for (int j = 0; j < n; j++) {
            if (row->child[j]->type != VALUE_INT || row->child[j]->i < 0)
                return err_set(e, ERR_INPUT, "the confusion matrix's row '%s' holds no counts", name->s);
            m->count[i * n + j] = row->child[j]->i;
        }
    }
    return 0;
}

static int read_json(matrix *m, const char *text, const opt_list *where, int *seen, err *e)
{
    value *v = json_parse(text, strlen(text), e);
    const value *classes = value_get(v, "classes"), *results = value_get(v, "results");
    int rc = v ? 0 : -1;

    for (size_t i = 0; rc == 0 && classes && classes->type == VALUE_ARRAY && results && results->type == VALUE_ARRAY && i < results->n; i++) {
        const value *r = results->child[i];
        char labels[32];
        if (!value_get(r, "confusion"))
            continue;
        ++*seen;
        snprintf(labels, sizeof labels, "%" PRId64, value_get_int(r, "labels", 0));
        m->method = strdup(value_get_str(r, "method", ""));
        m->setting = strdup(value_get_str(r, "setting", ""));
        m->labels = strdup(value_get_int(r, "labels", 0) ? labels : "all");
        if (!m->method || !m->setting || !m->labels)
            rc = err_nomem(e);
        else if (wanted(m, where))
            rc = take_json(m, classes, r, e) ? -1 : 1;
        else
            matrix_clear(m);
    }
    value_free(v);
    return rc;
}

/* ---- Drawing ----------------------------------------------------------------------------- */

/* From white to a dark blue, evenly in lightness: a share of 0..1. */
static void shade(double share, char out[16])
{
    static const double stop[5][3] = {{255, 255, 255}, {206, 224, 245}, {128, 172, 222}, {52, 106, 168}, {12, 46, 96}};
    double at = fmin(fmax(share, 0), 1) * 4;
    int i = at >= 4 ? 3 : (int)at, c[3];

    for (int k = 0; k < 3; k++)
        c[k] = (int)lround(stop[i][k] + (at - i) * (stop[i + 1][k] - stop[i][k]));
    snprintf(out, 16, "#%02x%02x%02x", c[0] & 255, c[1] & 255, c[2] & 255);
}

static void draw_cell(const plot_request *q, svg *s, double x, double y, double side, int64_t count, int64_t row_total, bool numbers, bool diagonal)
{
    double share = row_total ? (double)count / (double)row_total : 0, size = fmin(13, side * 0.34);
    char fill[16], text[32];

    shade(sqrt(share), fill); /* by the root, so that rare confusions are seen */
    svg_add(s, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n", x, y, side, side, fill);
    if (!numbers || count == 0)
        return;
    if (q->counts)
        snprintf(text, sizeof text, "%" PRId64, count);
    else
        snprintf(text, sizeof text, share >= 0.00995 ? "%.0f" : "%.1f", 100 * share);
    double wide = svg_text_width(text, size, diagonal);
    if (wide > side - 3)
        size *= (side - 3) / wide;
    svg_text(s, x + side / 2, y + side / 2 + size * 0.36, &(font){.size = floor(size * 4) / 4, .fill = share > 0.4 ? "#fff" : INK, .bold = diagonal, .anchor = 'm'}, text);
}

static void draw_matrix(const plot_request *q, const matrix *m, svg *s, double *height)
{
    double y = plot_title(s, q->title, MARGIN), name = 0, size;
    int n = m->n;
    int64_t right = 0, all = 0;
    char text[256];

    for (int i = 0; i < n; i++)
        name = fmax(name, svg_text_width(m->class_name[i], 12, false));
    name = fmin(name, s->w * 0.25);
    double slant = name * 0.7072 + 14, left = MARGIN + 20 + name + 8;
    double side = fmin(fmin((s->w - left - MARGIN - slant * 0.6) / n, 52), 700.0 / n), font_size = fmin(12, fmax(side * 0.9, 3));
    y += slant + 18;
    size = side * n;
    s->w = fmin(s->w, fmax(left + size + slant * 0.6 + MARGIN, 420)); /* no wider than it has to be */
    svg_text(s, left + size / 2, y - slant - 6, &(font){.size = 12, .fill = GREY, .anchor = 'm'}, "predicted");
    svg_text(s, MARGIN + 10, y + size / 2, &(font){.size = 12, .fill = GREY, .anchor = 'm', .turn = -90}, "true");
    for (int i = 0; i < n; i++) {
        int64_t total = 0;
        for (int j = 0; j < n; j++)
            total += m->count[i * n + j];
        right += m->count[i * n + i];
        all += total;
        svg_text_within(s, left - 8, y + (i + 0.5) * side + font_size * 0.36, name + 2, &(font){.size = font_size, .anchor = 'e'}, m->class_name[i]);
        svg_text_within(s, left + (i + 0.5) * side + font_size * 0.3, y - 7, name + 2, &(font){.size = font_size, .anchor = 's', .turn = -45},
                        m->class_name[i]);
        for (int j = 0; j < n; j++)
            draw_cell(q, s, left + j * side, y + i * side, side, m->count[i * n + j], total, n <= NUMBERS_UP_TO, i == j);
    }
    /* Thin lines where there are few cells, and a frame. */
    for (int i = 1; n <= NUMBERS_UP_TO && i < n; i++)
        svg_add(s, "<path d=\"M%.1f %.1fh%.1fM%.1f %.1fv%.1f\" stroke=\"#fff\" stroke-width=\"1\"/>\n", left, y + i * side, size, left + i * side, y, size);
    svg_add(s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" stroke=\"%s\"/>\n", left, y, size, size, GREY);
    y += size + 22;
    snprintf(text, sizeof text, "%s %s%s%s: %.1f %% right of %" PRId64 "; %s", m->method, m->setting, strcmp(m->labels, "all") ? ", labels " : "",
             strcmp(m->labels, "all") ? m->labels : "", all ? 100.0 * (double)right / (double)all : 0, all,
             q->counts ? "numbers of images, shaded by their share of the row" : "% of each true class");
    svg_text_within(s, MARGIN, y, s->w - 2 * MARGIN, &(font){.size = 11, .fill = GREY}, text);
    *height = y + 14;
}

static int draw(const plot_request *q, svg *s, double *height, err *e)
{
    matrix m = {0};
    buf b = {0};
    int rc = -1, seen = 0, found = 0;

    if (q->n_inputs > 1)
        return err_set(e, ERR_USAGE, "one confusion matrix at a time: one input");
    if (check_where(&q->where, e) || plot_read(q, 0, &b, e) || buf_add(&b, "", 1, e))
        goto out;
    if (strlen((char *)b.p) + 1 != b.n) {
        err_set(e, ERR_INPUT, "'%s' is no text", q->inputs[0]);
        goto out;
    }
    char *text = (char *)b.p;
    found = text[strspn(text, " \n\t\r")] == '{' ? read_json(&m, text, &q->where, &seen, e) : read_table(&m, text, &q->where, &seen, e);
    if (found == 1) {
        draw_matrix(q, &m, s, height);
        rc = 0;
    } else if (found == 0) {
        if (seen)
            err_set(e, ERR_INPUT, "none of the confusion matrices of '%s' is as --where says", q->inputs[0]);
        else
            err_set(e, ERR_INPUT, "no confusion matrix in '%s'; ssl-probe prints them with --confusion", q->inputs[0]);
    } else {
        err_prefix(e, "'%s'", q->inputs[0]);
    }
out:
    matrix_clear(&m);
    buf_free(&b);
    return rc;
}

const plot_kind plot_confusion = {"confusion", "output of ssl-probe --confusion", "which classes are taken for which", draw, NULL, NULL};
