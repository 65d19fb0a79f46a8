/*
 * Directions of a batch's embeddings, compared all with all in double
 * precision: the part that losses over pairs share. Rows lie padded to whole
 * vectors, once by rows and once by columns, as kernels.h's product wants them.
 */
#ifndef NN_OBJECTIVES_PAIRS_H
#define NN_OBJECTIVES_PAIRS_H

#include "base/err.h"
#include "nn/kernels/kernels.h"

enum { PAIR_ROWS = 48, PAIR_COLUMNS = 256 }; /* of a block of similarities that stays in cache */

typedef struct directions {
    int capacity, rows, D;
    size_t row, column; /* distances: of rows in z, of dimensions in t */
    double *z;          /* [rows][row]: unit vectors, or zeros for a vector of length 0; owned, like all below */
    double *t;          /* [D][column]: the same, transposed */
    double *norm;       /* [rows]: lengths before */
} directions;

/* For at most `rows` vectors of D. directions_clear() also after a failure. */
int directions_init(directions *d, int rows, int D, err *e);
void directions_clear(directions *d);

/* Take x [rows][D]. Returns the first row that is not finite, or -1. */
int directions_set(directions *d, const float *x, int rows);

/* out[i][j - column] = the similarity of rows first + i and j, for count rows and columns column..column + columns - 1. */
void directions_compare(const directions *d, const kernels *k, int first, int count, int column, int columns, double *out,
                        size_t out_row);

/*
 * The gradient with respect to row i of x from that with respect to its direction,
 * g: (g - (g . z) z) / |x|, added to dx. A vector of length 0 has no direction; its gradient is 0.
 */
void directions_gradient(const directions *d, int i, const double *g, float *dx);

/* Zeroed doubles on a cache line's boundary; free() them. NULL when memory is out. */
double *pairs_alloc(size_t n);

#endif
