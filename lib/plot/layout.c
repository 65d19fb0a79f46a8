#include "plot/layout.h"

#include "eval/plane.h"
#include "eval/tsne.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ITERATIONS = 1000, LEAST_POINTS = 8 };

#define PERPLEXITY 30.0

typedef struct watch {
    progress bar;
} watch;

static void each(void *arg, int iteration)
{
    watch *w = arg;

    progress_update(&w->bar, iteration, "t-SNE");
}

static int search(layout *l, const points *p, const plot_request *q, int k, err *e)
{
    l->k = (size_t)k < p->n ? k : (int)p->n - 1;
    if (l->k < 1)
        return 0;
    l->found = malloc(p->n * (size_t)l->k * sizeof *l->found);
    if (!l->found)
        return err_nomem(e);
    return points_neighbours(p, (rows){p->all, p->n}, (rows){p->all, p->n}, l->k, (int)q->threads, l->found, e);
}

/* Rows of the first so many neighbours, close together. */
static int run_tsne(layout *l, const points *p, const plot_request *q, tsne_options *o, int k, err *e)
{
    watch w;
    knn_neighbour *first = malloc(p->n * (size_t)k * sizeof *first);

    if (!first)
        return err_nomem(e);
    for (size_t i = 0; i < p->n; i++)
        memcpy(first + i * (size_t)k, l->found + i * (size_t)l->k, (size_t)k * sizeof *first);
    progress_start(&w.bar, 2, q->tool, "iterations", 0, o->iterations, q->quiet);
    o->each = each;
    o->arg = &w;
    int rc = tsne_run(first, p->n, k, o, l->xy, NULL, e);
    progress_end(&w.bar);
    free(first);
    return rc;
}

int layout_make(layout *l, const points *p, const plot_request *q, int neighbours, err *e)
{
    bool pca = q->method && strcmp(q->method, "pca") == 0;
    double perplexity = isnan(q->perplexity) ? fmin(PERPLEXITY, (double)(p->n - 1) / 3) : q->perplexity;
    tsne_options o = {.perplexity = perplexity, .iterations = q->iterations ? (int)q->iterations : ITERATIONS, .seed = (uint64_t)q->seed,
                      .threads = (int)q->threads};

    if (!pca && q->method && strcmp(q->method, "tsne") != 0)
        return err_set(e, ERR_USAGE, "option '--method': '%s' is not one of tsne, pca", q->method);
    if (!pca && !isnan(q->perplexity) && 3 * perplexity > (double)(p->n - 1))
        return err_set(e, ERR_INPUT, "%zu samples are too few for a perplexity of %g; at most a third of them", p->n, perplexity);
    l->tsne = !pca && p->n >= LEAST_POINTS;
    l->xy = malloc(2 * p->n * sizeof *l->xy);
    if (!l->xy)
        return err_nomem(e);
    int k = l->tsne ? tsne_neighbours(perplexity, p->n) : 0;
    if ((k || neighbours) && search(l, p, q, k > neighbours ? k : neighbours, e))
        return -1;
    if (plane_project(p->x, p->n, (size_t)p->dim, (int)q->threads, l->xy, l->share, e))
        return -1;
    return l->tsne ? run_tsne(l, p, q, &o, k, e) : 0;
}

void layout_clear(layout *l)
{
    free(l->xy);
    free(l->found);
    *l = (layout){0};
}

/* ---- Groups ------------------------------------------------------------------------------ */

typedef struct entry {
    const char *name;
    int number;
} entry;

static int by_name(const void *a, const void *b)
{
    return strverscmp(((const entry *)a)->name, ((const entry *)b)->name);
}

int grouping_make(grouping *g, const points *p, const char *by, err *e)
{
    bool class_asked = by && strcmp(by, "class") == 0, split = by && strcmp(by, "split") == 0, cluster = by && strcmp(by, "cluster") == 0;

    if (by && !class_asked && !split && !cluster)
        return err_set(e, ERR_USAGE, "option '--colour': '%s' is not one of class, split, cluster", by);
    if (cluster && p->clusters.n == 0)
        return err_set(e, ERR_USAGE, "--colour cluster needs --clusters FILE, the assignments of ssl-cluster");
    if (!by && p->classes.n == 0)
        cluster = p->clusters.n > 0;
    const name_set *names = cluster ? &p->clusters : split ? &p->splits : &p->classes;
    const int32_t *of = cluster ? p->cluster : split ? p->split : p->class_of;
    size_t n = (size_t)names->n;
    entry *sorted = malloc((n + 1) * sizeof *sorted);
    int32_t *rank = malloc((n + 1) * sizeof *rank);

    g->name = malloc((n + 1) * sizeof *g->name);
    g->of = malloc(p->n * sizeof *g->of);
    g->count = calloc(n + 1, sizeof *g->count);
    if (!sorted || !rank || !g->name || !g->of || !g->count) {
        free(sorted);
        free(rank);
        return err_nomem(e);
    }
    for (int i = 0; i < names->n; i++)
        sorted[i] = (entry){names->v[i], i};
    qsort(sorted, n, sizeof *sorted, by_name);
    for (int i = 0; i < names->n; i++) {
        g->name[i] = sorted[i].name;
        rank[sorted[i].number] = i;
    }
    g->n = names->n;
    for (size_t i = 0; i < p->n; i++) {
        g->of[i] = of[i] < 0 ? -1 : rank[of[i]];
        if (g->of[i] >= 0)
            g->count[g->of[i]]++;
    }
    free(sorted);
    free(rank);
    return 0;
}

void grouping_clear(grouping *g)
{
    free(g->name);
    free(g->of);
    free(g->count);
    *g = (grouping){0};
}
