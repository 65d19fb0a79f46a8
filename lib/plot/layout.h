/* Where points lie on a map, and how they are grouped. */
#ifndef PLOT_LAYOUT_H
#define PLOT_LAYOUT_H

#include "plot/points.h"

typedef struct layout {
    double *xy;           /* [n][2]; owned, like all below */
    double share[2];      /* of the variance, with "pca" */
    bool tsne;
    knn_neighbour *found; /* [n][k], each one's nearest others; NULL where nobody needed them */
    int k;
} layout;

/* By q->method (NULL: t-SNE). neighbours: how many of each point the caller wants. layout_clear() also after a failure. */
int layout_make(layout *l, const points *p, const plot_request *q, int neighbours, err *e);
void layout_clear(layout *l);

/* The points by one of their names, these in the order of people (2 before 10). */
typedef struct grouping {
    const char **name; /* [n]; owned array of names borrowed from the points */
    int32_t *of;       /* [points]: a group, or -1 */
    size_t *count;     /* [n] */
    int n;
} grouping;

/* by: "class", "split" or "cluster"; NULL: by class, or what else there is. ERR_USAGE or ERR_INPUT where there is none. */
int grouping_make(grouping *g, const points *p, const char *by, err *e);
void grouping_clear(grouping *g);

#endif
