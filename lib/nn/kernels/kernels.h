/*
 * The engine's inner loops, compiled once for each instruction set from the
 * same source (kernels/source.h) and chosen at run time.
 *
 * Activations are channel-blocked: a map (N, C, H, W) is stored as
 * [N][C/L][H][W][L] with L = lanes, channels padded with zeros to a multiple of
 * L; a vector (N, D) is a map with H = W = 1, which is plain rows padded to L.
 * "Pixel" below means one position of a map, or one row of a vector.
 *
 * A convolution or linear layer is two steps: pack() gathers, for a run
 * of output pixels, the input under each tap into a panel; gemm() multiplies
 * the panel by the weights. wgrad() multiplies the same panel by the output's
 * gradient. Winograd's 36 products are the same gemm() and wgrad().
 */
#ifndef NN_KERNELS_H
#define NN_KERNELS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MAX_LANES = 16,
    MAX_TAPS = 121,     /* an 11x11 convolution */
    STAT_ROWS = 4       /* rows of L floats that statistics take a channel block: count, pivot, sum, sum of squares */
};

/* Which input pixel lies under tap t of lattice pixel (y, x): (y * step + ty[t], x * step + tx[t]). */
typedef struct lattice {
    int H, W;         /* of the lattice: its pixels are counted over N, H, W */
    int step, taps;
    int ty[MAX_TAPS], tx[MAX_TAPS];
    int out_step, out_y, out_x; /* lattice pixel (y, x) is written to (y * out_step + out_y, ...) of an out_H x out_W map */
    int out_H, out_W;
} lattice;

/* A normalisation that is applied while reading: max(a x + b, 0), [blocks][L] each; a NULL: none. */
typedef struct affine {
    const float *a, *b;
} affine;

/* src [N][blocks][H][W][L], lattice pixels first..first+count-1 -> panel [blocks][taps][pitch][L]; zero outside the map. */
typedef struct pack_args {
    const lattice *at;
    const float *src;
    int blocks, H, W;
    affine pre;
    float *panel;
    int pitch;
} pack_args;

/* A panel of `taps` of the `all` taps of the weights: its run r belongs to their run r / taps * all + tap[r % taps]. NULL: run r. */
typedef struct taps_used {
    const int *tap;
    int taps, all;
} taps_used;

/* out[p][k] = sum over r, c of a[r][p][c] w[k][r][c], for `pixels` pixels and `blocks` blocks of L output channels. */
typedef struct gemm_args {
    const float *a; /* [runs][a_run / L][L] */
    size_t a_run;
    bool far;           /* a is in memory rather than in a cache: the next pixels are asked for early; not for plain */
    const size_t *rows; /* plain: a run is of one channel, pixel p of run r at a[rows[r] + p] */
    int runs;
    const float *w; /* [blocks] at distance w_block of [runs][L][L]; plain: [runs][L] */
    size_t w_block;
    taps_used used; /* which of the weights' runs; not for plain */
    int pixels, blocks;
    float *out; /* block k, pixel p at out + k * out_block + (out_pixel ? out_pixel[p] : p * L) */
    size_t out_block;
    const size_t *out_pixel;
    /* Epilogue, in this order; NULL or false: none. */
    const float *bias; /* [blocks][L] */
    const float *add;  /* laid out as out; may be out itself */
    bool relu;
    bool stream;  /* out is written past the caches */
    float *stats; /* [blocks][STAT_ROWS][L] of what is written, added to what is there; count 0: nothing yet */
} gemm_args;

/* dw[k][r][c] (+)= sum over p of a[r][p][c] d[k][p], the layout of w above; runs first..first+runs-1. */
typedef struct wgrad_args {
    const float *a;
    size_t a_run;
    int first, runs;
    const float *d; /* [blocks] at distance d_block of [pixels][L] */
    size_t d_block;
    int pixels, blocks;
    float *dw;
    size_t dw_block;
    taps_used used; /* which of dw's runs; not for plain */
    bool accumulate;
} wgrad_args;

/* The same for runs of one channel, summed over lines of pixels: line l of run r at a[rows[r] + l * a_line]. */
typedef struct wgrad_plain_args {
    const float *a;
    const size_t *rows;
    size_t a_line;
    int runs, lines, pixels;
    const float *d; /* [blocks] at distance d_block of lines at distance d_line of [pixels][L] */
    size_t d_block, d_line;
    int blocks;
    float *dw; /* [blocks] at distance dw_block of [runs][L] */
    size_t dw_block;
    bool accumulate;
} wgrad_plain_args;

/*
 * Batch normalisation of rows of maps, with a residual and a ReLU fused:
 *     y = relu(a z + b [+ other])
 * and backward with g = dy [y > 0] (times of Ioffe and Szegedy 2015, section 3):
 *     dz = c1 g + c2 z + c3, coefficients from the two sums over g.
 */
typedef struct norm_args {
    int blocks, pixels;
    const float *z, *other;
    float *y;
    const float *a, *b; /* [blocks][L] */
    bool relu;
    bool stream; /* y is written past the caches */
    /* backward */
    const float *dy;
    const float *mask_y; /* y, where the mask cannot be recomputed from z; NULL otherwise */
    const float *mean;
    float *g;           /* masked gradient is written here (may be dy), or NULL: recomputed */
    float *d_other;     /* g is added here, or NULL */
    float *dz;          /* may be dy or g */
    bool dz_accumulate;
    const float *c1, *c2, *c3;
} norm_args;

typedef struct pool_args {
    int kernel, stride, pad;
    int H, W, out_H, out_W; /* of one [H][W][L] plane */
} pool_args;

/*
 * Winograd tiles of 4x4 outputs of maps of `blocks` channel blocks, counted
 * over N and the down x across tiles of a map. Their 36 elements are at
 * distance `element`, each [blocks][pitch][L]; those of stride 2 as
 * kernels/polyphase.h says. The epilogue is gemm's, but stats are overwritten.
 */
typedef struct winograd_args {
    int blocks, map_blocks; /* how many are read or written, of a map of how many */
    int H, W;               /* of that map */
    int down, across;
    float *tiles;
    size_t element, element4;
    int pitch;
    affine pre; /* of the input */
    float *out;
    const float *bias, *add;
    bool relu;
    bool stream; /* out is written past the caches */
    float *stats;
} winograd_args;

typedef void winograd_reads(const winograd_args *w, const float *src, int64_t first, int count);
typedef void winograd_writes(const winograd_args *w, int64_t first, int count);
typedef void winograd_transforms(const float *from, float *to, size_t element);

/* The transforms of one stride. */
typedef struct winograd_form {
    /* Tiles first..first+count-1: of x; of dy for the data's gradient, and for the weights'. */
    winograd_reads *input, *data_input, *gradient;
    /* From products to y, and to dx. */
    winograd_writes *output, *data_output;
    /* One [9][L][L] block of weights to 36 of [L][L], for either direction; and back, of the weights' gradient. */
    winograd_transforms *weights, *weights_transposed, *weights_gradient;
} winograd_form;

/*
 * c[i][j] (+)= sum over k of a[i][k] b[k][j], in double precision, the sum in order. `columns` is a
 * multiple of 8; b and c begin on 64 bytes and their rows are multiples of 8 apart.
 */
typedef struct product_args {
    const double *a, *b;
    double *c;
    size_t a_row, b_row, c_row; /* distances of rows, in doubles */
    int rows, columns, depth;
    bool accumulate;
} product_args;

typedef struct kernels {
    const char *name;
    int lanes;
    int tile; /* gemm is fastest on multiples of this many pixels */

    void (*pack)(const pack_args *p, int64_t first, int count);
    void (*gemm)(const gemm_args *g);
    void (*gemm_plain)(const gemm_args *g);
    void (*wgrad)(const wgrad_args *w);
    void (*wgrad_plain)(const wgrad_plain_args *w);

    winograd_form winograd[2]; /* of stride 1 and 2 */

    /* Rows n0..n1-1. sums: [blocks][STAT_ROWS][L] or, backward, [blocks][2][L] = sum g, sum g (z - mean), both overwritten. */
    void (*norm_stats)(const norm_args *m, int n0, int n1, float *stats);
    void (*norm_apply)(const norm_args *m, int n0, int n1);
    void (*norm_backward_sums)(const norm_args *m, int n0, int n1, float *sums);
    void (*norm_backward_apply)(const norm_args *m, int n0, int n1);

    /* count is a multiple of L. */
    void (*relu)(float *y, const float *x, size_t count);
    void (*relu_backward)(float *dx, const float *dy, const float *y, size_t count, bool accumulate);
    void (*add)(float *y, const float *a, const float *b, size_t count);

    /* One [H][W][L] plane; index (of the tap that won) has a byte for each output element. */
    void (*maxpool)(const pool_args *p, const float *x, float *y, uint8_t *index);
    void (*maxpool_backward)(const pool_args *p, const float *dy, const uint8_t *index, float *dx);
    void (*avgpool)(const float *x, int pixels, float *y);
    void (*avgpool_backward)(const float *dy, int pixels, float *dx, bool accumulate);

    /* The transpose of one [L][L] block of weights. */
    void (*transpose)(const float *src, float *dst);
    /* sums[L] = the sum over `rows` planes of `pixels` pixels, `row` floats apart. */
    void (*sum)(const float *x, int rows, size_t row, int pixels, float *sums);

    /* Between blocked rows of one plane group and plain (C, pixels) order. */
    void (*to_plain)(const float *x, int C, int pixels, float *dst);
    void (*from_plain)(const float *src, int C, int pixels, float *x);

    void (*product)(const product_args *p);

    /* Multiplies and adds in registers, to measure the peak; returns how many operations it did. What it writes is of no use. */
    double (*peak)(int rounds, float *sink);
} kernels;

/* The fastest set that this processor has, or the one that the environment's SSL_CPU names. NULL and *e set if it cannot be had. */
const kernels *kernels_choose(err *e);

extern const kernels kernels_generic;
#if defined __x86_64__
extern const kernels kernels_avx2, kernels_avx512;
#endif

#endif
