/* What the layers without parameters share: work on slices of rows. */
#ifndef NN_LAYERS_ELEMENTWISE_H
#define NN_LAYERS_ELEMENTWISE_H

#include "nn/internal.h"

/* A layer that acts on all elements alike: the pointers it needs, and how many floats a row has. */
typedef struct rowwise {
    const graph *g;
    const op *o;
    int rows;
    size_t row;
    float *dst;
    const float *a, *b;
    bool accumulate;
} rowwise;

/* The slice's first float and its count. */
static inline size_t rowwise_slice(const rowwise *r, int slice, size_t *count)
{
    size_t begin = (size_t)slice_begin(r->rows, slice) * r->row;

    *count = (size_t)slice_begin(r->rows, slice + 1) * r->row - begin;
    return begin;
}

static inline void rowwise_run(const rowwise *r, team_job *job)
{
    team_run(r->g->team, slice_count(r->rows), job, (void *)r);
}

#endif
