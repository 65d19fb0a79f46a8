/*
 * Pictures of what the other programs print and stream: one file and one row
 * of the table a kind. A kind reads its inputs and draws one SVG page; some
 * also make an HTML page.
 */
#ifndef PLOT_PLOT_H
#define PLOT_PLOT_H

#include "base/buf.h"
#include "base/opt.h"
#include "base/progress.h"
#include "plot/svg.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct plot_request {
    const char *const *inputs; /* names of files; "-" is in_fd */
    int n_inputs;              /* at least 1 */
    int in_fd;
    const char *title;         /* NULL: the kind's own, if it has one */
    int64_t width;             /* pixels */
    int64_t seed, threads;
    int64_t limit;             /* samples taken at most; 0: all */
    const char *tool;          /* for progress */
    bool quiet;
    void (*note)(void *arg, const char *text); /* a remark for people */
    void *arg;

    const char *labels; /* curves, bars: names of the inputs, separated by commas; NULL: from the files' */
    opt_list where;     /* bars, confusion: COLUMN=VALUE, which rows are taken */

    const char *panels, *x; /* curves: NULL for the defaults */
    int64_t smooth;
    bool log_scale;

    const char *group, *series, *value; /* bars: columns */
    bool sort;

    bool counts; /* confusion: numbers of images, not shares */

    int64_t queries, neighbours; /* neighbours; map --html for the latter */
    const char *query_split, *among_split;
    opt_list keys;               /* queries by name */

    const char *method; /* map: "tsne" or "pca" */
    double perplexity;
    int64_t iterations;
    const char *colour; /* "class", "split" or "cluster" */
    const char *clusters; /* a stream of assignments, or NULL */
    bool thumbnails;
    int64_t thumbnail_size;
} plot_request;

typedef struct plot_kind {
    const char *name, *takes, *help;
    /* Draw into s, which is begun; *height is set. ERR_INPUT names what is wrong with which input. */
    int (*draw)(const plot_request *q, svg *s, double *height, err *e);
    int (*page)(const plot_request *q, buf *html, err *e); /* NULL: there is none; so the next */
    int (*table)(const plot_request *q, buf *tsv, err *e);
} plot_kind;

/* NULL ends it. */
extern const plot_kind *const plot_kinds[];

const plot_kind *plot_find(const char *name);
void plot_list(FILE *f);

/* ---- For the kinds ---- */

/* The descriptor of input i; plot_close() it. */
int plot_open(const plot_request *q, int i, err *e);
void plot_close(const plot_request *q, int fd);
/* All of input i. */
int plot_read(const plot_request *q, int i, buf *b, err *e);
/*
 * What the inputs are called: by --labels, or their files' names without suffix, and as much of the folders as
 * tells them apart. ERR_USAGE where --labels names another number. Owned by the caller, like its strings.
 */
char **plot_labels(const plot_request *q, err *e);
void plot_labels_free(char **labels, int n);
/* The page's title at the top, if there is one, left at x; what is below begins at the height that is returned. */
double plot_title(svg *s, const char *title, double x);

/* ---- The rows ---- */

extern const plot_kind plot_curves, plot_bars, plot_confusion, plot_neighbours, plot_map;

#endif
