#include "nn/objectives/pairs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double *pairs_alloc(size_t n)
{
    size_t bytes = (n * sizeof(double) + 63) / 64 * 64;
    double *p = n < SIZE_MAX / 16 ? aligned_alloc(64, bytes ? bytes : 64) : NULL;

    if (p)
        memset(p, 0, bytes);
    return p;
}

static size_t up(int n)
{
    return ((size_t)n + 7) / 8 * 8;
}

int directions_init(directions *d, int rows, int D, err *e)
{
    *d = (directions){.capacity = rows, .D = D, .row = up(D)};
    /* An odd number of cache lines, so that a column's elements do not all compete for the same place in the cache. */
    d->column = up(rows) | 8;
    d->z = pairs_alloc(up(rows) * d->row);
    d->t = pairs_alloc((size_t)D * d->column);
    d->norm = pairs_alloc((size_t)rows);
    return d->z && d->t && d->norm ? 0 : err_nomem(e);
}

void directions_clear(directions *d)
{
    free(d->z);
    free(d->t);
    free(d->norm);
    *d = (directions){0};
}

int directions_set(directions *d, const float *x, int rows)
{
    int bad = -1;

    d->rows = rows;
    for (int i = 0; i < rows; i++, x += d->D) {
        double *z = d->z + (size_t)i * d->row, sum = 0;
        for (int k = 0; k < d->D; k++)
            sum += (double)x[k] * x[k];
        d->norm[i] = sqrt(sum);
        if (!isfinite(sum) && bad < 0)
            bad = i;
        double scale = sum > 0 ? 1 / d->norm[i] : 0;
        for (int k = 0; k < d->D; k++)
            z[k] = x[k] * scale;
    }
    /* What lies behind the rows may be read, but its products are not used. */
    for (int k = 0; k < d->D; k++)
        for (int i = 0; i < rows; i++)
            d->t[(size_t)k * d->column + (size_t)i] = d->z[(size_t)i * d->row + (size_t)k];
    return bad;
}

void directions_compare(const directions *d, const kernels *k, int first, int count, int column, int columns, double *out,
                        size_t out_row)
{
    k->product(&(product_args){
        .a = d->z + (size_t)first * d->row, .a_row = d->row, .b = d->t + column, .b_row = d->column, .c = out,
        .c_row = out_row, .rows = count, .columns = (int)up(columns), .depth = d->D});
}

void directions_gradient(const directions *d, int i, const double *g, float *dx)
{
    const double *z = d->z + (size_t)i * d->row;
    double dot = 0;

    if (d->norm[i] <= 0)
        return;
    for (int k = 0; k < d->D; k++)
        dot += g[k] * z[k];
    for (int k = 0; k < d->D; k++)
        dx[k] += (float)((g[k] - dot * z[k]) / d->norm[i]);
}
