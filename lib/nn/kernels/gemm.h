/*
 * The matrix product that convolutions, linear layers and Winograd share.
 *
 * A register tile holds P pixels times Q blocks of output channels. Each step
 * of the reduction loads Q vectors of weights and multiplies them by P
 * broadcast inputs. TILE_PIXELS x 2 fills the registers of each instruction set.
 */

/* A long sum is the sum of parts of 256 products: its rounding error grows with their length. */
enum { PART_RUNS = 256 / LANES };

INLINE size_t weight_run(const taps_used *u, int run)
{
    return u->tap ? (size_t)(run / u->taps) * u->all + u->tap[run % u->taps] : (size_t)run;
}

/* Adds runs r..end-1. PLAIN: a run of the reduction is one row of elements, instead of LANES channels. */
INLINE void gemm_sum(vec acc[TILE_PIXELS][2], const gemm_args *g, const float *a, const float *w, int r, int end,
                     const int P, const int Q, const bool plain, bool ahead)
{
    size_t next = Q > 1 ? g->w_block : 0;

    if (plain) {
        for (; r < end; r++, w += LANES) {
            const float *row = a + g->rows[r];
            vec v0 = load(w), v1 = load(w + next);
            UNROLL for (int p = 0; p < P; p++) {
                acc[p][0] += v0 * row[p];
                if (Q > 1)
                    acc[p][1] += v1 * row[p];
            }
        }
        return;
    }
    for (a += r * g->a_run; r < end; r++, a += g->a_run) {
        const float *w0 = w + weight_run(&g->used, r) * LANES * LANES, *w1 = w0 + next;
        if (ahead)
            UNROLL for (int p = 0; p < P; p++)
                __builtin_prefetch(a + (P + p) * LANES);
        for (int c = 0; c < LANES; c++, w0 += LANES, w1 += LANES) {
            vec v0 = load(w0), v1 = load(w1);
            __builtin_prefetch(w0 + 2 * g->w_block, 0, 2); /* of the next blocks, to the second-level cache */
            if (Q > 1)
                __builtin_prefetch(w1 + 2 * g->w_block, 0, 2);
            UNROLL for (int p = 0; p < P; p++) {
                float x = a[p * LANES + c];
                acc[p][0] += v0 * x;
                if (Q > 1)
                    acc[p][1] += v1 * x;
            }
        }
    }
}

/* Adds P values to the statistics of one block. */
INLINE void gemm_stats(float *stats, vec acc[TILE_PIXELS][2], const int P, const int q)
{
    vec count = load(stats), sum = {0}, squares = {0};
    vec pivot = count[0] > 0 ? load(stats + LANES) : acc[0][q];

    UNROLL for (int p = 0; p < P; p++) {
        vec d = acc[p][q] - pivot;
        sum += d;
        squares += d * d;
    }
    store(stats, count + (float)P);
    store(stats + LANES, pivot);
    store(stats + 2 * LANES, load(stats + 2 * LANES) + sum);
    store(stats + 3 * LANES, load(stats + 3 * LANES) + squares);
}

INLINE size_t gemm_place(const gemm_args *g, int pixel, int block)
{
    return (size_t)block * g->out_block + (g->out_pixel ? g->out_pixel[pixel] : (size_t)pixel * LANES);
}

INLINE void gemm_tile(const gemm_args *g, int pixel, int block, const int P, const int Q, const bool plain)
{
    vec acc[TILE_PIXELS][2];
    const float *a = g->a + (size_t)pixel * (plain ? 1 : LANES), *w = g->w + (size_t)block * g->w_block;
    const bool ahead = !plain && g->far && block == 0;

    if (g->add)
        UNROLL for (int p = 0; p < P; p++)
            UNROLL for (int q = 0; q < Q; q++)
                __builtin_prefetch(g->add + gemm_place(g, pixel + p, block + q));

    UNROLL for (int p = 0; p < P; p++)
        UNROLL for (int q = 0; q < Q; q++)
            acc[p][q] = g->bias ? load(g->bias + (size_t)(block + q) * LANES) : (vec){0};
    if (plain || g->runs <= PART_RUNS) {
        gemm_sum(acc, g, a, w, 0, g->runs, P, Q, plain, ahead);
    } else {
        vec part[TILE_PIXELS][2];
        for (int r = 0; r < g->runs; r += PART_RUNS) {
            UNROLL for (int p = 0; p < P; p++)
                UNROLL for (int q = 0; q < Q; q++)
                    part[p][q] = (vec){0};
            gemm_sum(part, g, a, w, r, r + PART_RUNS < g->runs ? r + PART_RUNS : g->runs, P, Q, false, ahead);
            UNROLL for (int p = 0; p < P; p++)
                UNROLL for (int q = 0; q < Q; q++)
                    acc[p][q] += part[p][q];
        }
    }

    UNROLL for (int p = 0; p < P; p++) {
        UNROLL for (int q = 0; q < Q; q++) {
            size_t at = gemm_place(g, pixel + p, block + q);
            if (g->add)
                acc[p][q] += load(g->add + at);
            if (g->relu)
                acc[p][q] = positive(acc[p][q]);
            if (g->stream)
                stream(g->out + at, acc[p][q]);
            else
                store(g->out + at, acc[p][q]);
        }
    }
    if (g->stats)
        UNROLL for (int q = 0; q < Q; q++)
            gemm_stats(g->stats + (size_t)(block + q) * STAT_ROWS * LANES, acc, P, q);
}

INLINE void gemm_pixels(const gemm_args *g, int block, const int Q, const bool plain)
{
    int p = 0;

    for (; p + TILE_PIXELS <= g->pixels; p += TILE_PIXELS)
        gemm_tile(g, p, block, TILE_PIXELS, Q, plain);
    for (; p + TILE_TAIL <= g->pixels; p += TILE_TAIL)
        gemm_tile(g, p, block, TILE_TAIL, Q, plain);
#if TILE_TAIL > 4
    for (; p + 4 <= g->pixels; p += 4)
        gemm_tile(g, p, block, 4, Q, plain);
#endif
    for (; p + 2 <= g->pixels; p += 2)
        gemm_tile(g, p, block, 2, Q, plain);
    for (; p < g->pixels; p++)
        gemm_tile(g, p, block, 1, Q, plain);
}

INLINE void gemm_blocks(const gemm_args *g, const bool plain)
{
    int k = 0;

    for (; k + 2 <= g->blocks; k += 2)
        gemm_pixels(g, k, 2, plain);
    if (k < g->blocks)
        gemm_pixels(g, k, 1, plain);
    if (g->stream)
        stream_end();
}

static void gemm(const gemm_args *g)
{
    gemm_blocks(g, false);
}

static void gemm_plain(const gemm_args *g)
{
    gemm_blocks(g, true);
}

/* Partial sums are added to the total, rather than continued: shorter sums round less. */
INLINE void wgrad_store(vec acc[8][2], float *dw, size_t dw_block, bool accumulate, const int P, const int Q)
{
    UNROLL for (int i = 0; i < P; i++)
        UNROLL for (int q = 0; q < Q; q++) {
            float *to = dw + q * dw_block + i * LANES;
            if (accumulate)
                acc[i][q] += load(to);
            store(to, acc[i][q]);
        }
}

/* P channels of one run times Q blocks, summed over the pixels. */
INLINE void wgrad_tile(const wgrad_args *w, const float *a, const float *d, float *dw, const int P, const int Q)
{
    vec acc[8][2];
    const float *d1 = d + (Q > 1 ? w->d_block : 0);

    UNROLL for (int i = 0; i < P; i++)
        UNROLL for (int q = 0; q < Q; q++)
            acc[i][q] = (vec){0};
    for (int p = 0; p < w->pixels; p++, d += LANES, d1 += LANES, a += LANES) {
        vec v0 = load(d), v1 = load(d1);
        UNROLL for (int i = 0; i < P; i++) {
            acc[i][0] += v0 * a[i];
            if (Q > 1)
                acc[i][1] += v1 * a[i];
        }
    }
    wgrad_store(acc, dw, w->dw_block, w->accumulate, P, Q);
}

INLINE void wgrad_run(const wgrad_args *w, int run, int block, const int Q)
{
    const int P = LANES < 8 || TILE_PIXELS < 8 ? 4 : 8;

    for (int c = 0; c < LANES; c += P)
        wgrad_tile(w, w->a + run * w->a_run + c, w->d + (size_t)block * w->d_block,
                   w->dw + (size_t)block * w->dw_block + (weight_run(&w->used, run) * LANES + c) * LANES, P, Q);
}

static void wgrad(const wgrad_args *w)
{
    for (int k = 0; k < w->blocks; k += 2)
        for (int r = w->first; r < w->first + w->runs; r++) {
            if (k + 1 < w->blocks)
                wgrad_run(w, r, k, 2);
            else
                wgrad_run(w, r, k, 1);
        }
}

/* P runs from the given one times Q blocks, summed over the lines' pixels. */
INLINE void wgrad_plain_tile(const wgrad_plain_args *w, int run, int block, const int P, const int Q)
{
    vec acc[8][2];

    UNROLL for (int i = 0; i < P; i++)
        UNROLL for (int q = 0; q < Q; q++)
            acc[i][q] = (vec){0};
    for (int l = 0; l < w->lines; l++) {
        const float *d = w->d + block * w->d_block + l * w->d_line, *d1 = d + (Q > 1 ? w->d_block : 0);
        const float *a[8];
        UNROLL for (int i = 0; i < P; i++)
            a[i] = w->a + w->rows[run + i] + l * w->a_line;
        for (int p = 0; p < w->pixels; p++, d += LANES, d1 += LANES) {
            vec v0 = load(d), v1 = load(d1);
            UNROLL for (int i = 0; i < P; i++) {
                acc[i][0] += v0 * a[i][p];
                if (Q > 1)
                    acc[i][1] += v1 * a[i][p];
            }
        }
    }
    wgrad_store(acc, w->dw + block * w->dw_block + (size_t)run * LANES, w->dw_block, w->accumulate, P, Q);
}

INLINE void wgrad_plain_rows(const wgrad_plain_args *w, int block, const int Q)
{
    int r = 0;

#if TILE_PIXELS >= 8
    for (; r + 8 <= w->runs; r += 8)
        wgrad_plain_tile(w, r, block, 8, Q);
#endif
    for (; r + 4 <= w->runs; r += 4)
        wgrad_plain_tile(w, r, block, 4, Q);
    for (; r + 2 <= w->runs; r += 2)
        wgrad_plain_tile(w, r, block, 2, Q);
    for (; r < w->runs; r++)
        wgrad_plain_tile(w, r, block, 1, Q);
}

static void wgrad_plain(const wgrad_plain_args *w)
{
    for (int k = 0; k < w->blocks; k += 2) {
        if (k + 1 < w->blocks)
            wgrad_plain_rows(w, k, 2);
        else
            wgrad_plain_rows(w, k, 1);
    }
}
