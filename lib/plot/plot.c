#include "plot/plot.h"

#include "base/io.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const plot_kind *const plot_kinds[] = {&plot_curves, &plot_bars, &plot_confusion, &plot_neighbours, &plot_map, NULL};

const plot_kind *plot_find(const char *name)
{
    for (int i = 0; plot_kinds[i]; i++)
        if (strcmp(plot_kinds[i]->name, name) == 0)
            return plot_kinds[i];
    return NULL;
}

void plot_list(FILE *f)
{
    for (int i = 0; plot_kinds[i]; i++)
        fprintf(f, "%-12s %-34s %s\n", plot_kinds[i]->name, plot_kinds[i]->takes, plot_kinds[i]->help);
}

int plot_open(const plot_request *q, int i, err *e)
{
    return strcmp(q->inputs[i], "-") == 0 ? q->in_fd : io_open_read(q->inputs[i], e);
}

void plot_close(const plot_request *q, int fd)
{
    if (fd >= 0 && fd != q->in_fd)
        close(fd);
}

int plot_read(const plot_request *q, int i, buf *b, err *e)
{
    int fd = plot_open(q, i, e), rc = -1;
    ssize_t n;

    if (fd < 0)
        return -1;
    do {
        if (buf_reserve(b, b->n < 1 << 20 ? 1 << 16 : b->n / 2, e))
            goto out;
        n = io_read(fd, b->p + b->n, b->cap - b->n, e);
        b->n += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    rc = n < 0 ? err_prefix(e, "'%s'", q->inputs[i]) : b->n == 0 ? err_set(e, ERR_INPUT, "'%s' is empty", q->inputs[i]) : 0;
out:
    plot_close(q, fd);
    return rc;
}

/* ---- Labels ------------------------------------------------------------------------------ */

/* The last `parts` components of a path, the suffix cut. */
static char *tail_of(const char *path, int parts)
{
    const char *p = path + strlen(path), *dot;

    while (p > path && (p[-1] != '/' || --parts > 0))
        p--;
    dot = strrchr(p, '.');
    return dot && dot > p && !strchr(dot, '/') ? strndup(p, (size_t)(dot - p)) : strdup(strcmp(p, "-") == 0 ? "standard input" : p);
}

static bool all_differ(char **labels, int n)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            if (strcmp(labels[i], labels[j]) == 0)
                return false;
    return true;
}

static int split_labels(char **labels, int n, const char *list, err *e)
{
    int have = 0;

    for (const char *p = list;; p++) {
        size_t len = strcspn(p, ",");
        if (have < n && !(labels[have] = strndup(p, len)))
            return err_nomem(e);
        have++;
        p += len;
        if (!*p)
            break;
    }
    return have == n ? 0 : err_set(e, ERR_USAGE, "--labels names %d inputs, and there are %d", have, n);
}

char **plot_labels(const plot_request *q, err *e)
{
    int n = q->n_inputs;
    char **labels = calloc((size_t)n, sizeof *labels);

    if (!labels) {
        err_nomem(e);
        return NULL;
    }
    if (q->labels) {
        if (split_labels(labels, n, q->labels, e))
            goto failed;
        return labels;
    }
    for (int parts = 1; parts == 1 || (parts < 8 && !all_differ(labels, n)); parts++)
        for (int i = 0; i < n; i++) {
            free(labels[i]);
            if (!(labels[i] = tail_of(q->inputs[i], parts))) {
                err_nomem(e);
                goto failed;
            }
        }
    return labels;
failed:
    plot_labels_free(labels, n);
    return NULL;
}

void plot_labels_free(char **labels, int n)
{
    for (int i = 0; labels && i < n; i++)
        free(labels[i]);
    free(labels);
}

double plot_title(svg *s, const char *title, double x)
{
    if (!title)
        return 14;
    svg_text_within(s, x, 28, s->w - 2 * x, &(font){.size = 16, .bold = true}, title);
    return 42;
}
