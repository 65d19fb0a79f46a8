#include "eval/repulsion.h"

#include "base/pool.h"
#include "eval/fft.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Between nodes. At 0.5 forces are within 2.5 %; at 0.35 within 1 %, in half again the time, and maps are as trustworthy
 * to three digits. A map of less than LEAST spacings gets a finer grid, one of more than MOST a coarser one.
 */
#define SPACING 0.5
enum { LEAST = 40, MOST = 1500, BAND = 8, CHUNK = 1024, L = FFT_LANES, EDGE = 2, MAX_JOBS = 4096 };

/* The four charges of a point are 1, x, y and x^2 + y^2: two complex numbers. */
enum { CHARGES = 4 };

typedef enum phase { SPREAD_EVEN, SPREAD_ODD, ROWS_FORWARD, COLUMNS, ROWS_BACK, GATHER, KERNEL_ROWS, KERNEL_COLUMNS } phase;

typedef struct job {
    size_t from, to;
    double sum;
} job;

struct repulsion {
    size_t n;
    int threads;
    pool *p;
    phase doing;
    job jobs[MAX_JOBS];

    const double *y;
    double *force;
    double x0, y0, spacing; /* of node 0, 0 */
    size_t m, N;            /* nodes, and their number with the zeros behind them: a length of fft */
    double near[4][4];      /* the kernel between nodes so many rows and columns apart */
    double at;              /* what `kernel` was made for: the spacing; 0: nothing */
    fft f;
    double *kernel;         /* [N][N]: its spectrum, which is real */
    double *grid[CHARGES];  /* [m][N rounded up]: charges, then potentials */
    size_t width;           /* of a row of the grids */
    size_t cap;             /* what the grids have room for */
    double **scratch;       /* a worker's: four panels [N][8] */
    uint32_t *order, *start; /* points by band of rows of nodes */
    size_t bands;
};

/* ---- Points and nodes -------------------------------------------------------------------- */

static void weights(double t, double w[4])
{
    w[0] = -t * (t - 1) * (t - 2) / 6;
    w[1] = (t + 1) * (t - 1) * (t - 2) / 2;
    w[2] = -(t + 1) * t * (t - 2) / 2;
    w[3] = (t + 1) * t * (t - 1) / 6;
}

/* The first of the four nodes of a coordinate, and their weights. */
static size_t place(const repulsion *r, double v, double origin, double w[4])
{
    double u = (v - origin) / r->spacing, cell = floor(u);

    weights(u - cell, w);
    return (size_t)cell - 1;
}

static void charges(const double *y, double c[CHARGES])
{
    c[0] = 1;
    c[1] = y[0];
    c[2] = y[1];
    c[3] = y[0] * y[0] + y[1] * y[1];
}

/* The points of one band. Bands of the same parity share no node. */
static void spread(repulsion *r, size_t band)
{
    for (uint32_t k = r->start[band]; k < r->start[band + 1]; k++) {
        const double *y = r->y + 2 * (size_t)r->order[k];
        double wx[4], wy[4], c[CHARGES];
        size_t i = place(r, y[1], r->y0, wy), j = place(r, y[0], r->x0, wx);
        charges(y, c);
        for (size_t a = 0; a < 4; a++)
            for (size_t b = 0; b < 4; b++) {
                double w = wy[a] * wx[b];
                size_t node = (i + a) * r->width + j + b;
                for (int q = 0; q < CHARGES; q++)
                    r->grid[q][node] += w * c[q];
            }
    }
}

/* What a point adds to its own sum: the interpolated kernel at distance 0, by the correlation of its weights along each axis. */
static double own(const repulsion *r, const double wx[4], const double wy[4])
{
    double cx[4] = {0}, cy[4] = {0}, sum = 0;

    for (int d = 0; d < 4; d++)
        for (int a = 0; a + d < 4; a++) {
            cx[d] += (d ? 2 : 1) * wx[a] * wx[a + d];
            cy[d] += (d ? 2 : 1) * wy[a] * wy[a + d];
        }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            sum += cy[i] * cx[j] * r->near[i][j];
    return sum;
}

/* Potentials at the points, and from them forces and the sum. */
static double gather(repulsion *r, size_t from, size_t to)
{
    double sum = 0;

    for (size_t k = from; k < to; k++) {
        const double *y = r->y + 2 * k;
        double wx[4], wy[4], p[CHARGES] = {0};
        size_t i = place(r, y[1], r->y0, wy), j = place(r, y[0], r->x0, wx);
        for (size_t a = 0; a < 4; a++)
            for (size_t b = 0; b < 4; b++) {
                double w = wy[a] * wx[b];
                size_t node = (i + a) * r->width + j + b;
                for (int q = 0; q < CHARGES; q++)
                    p[q] += w * r->grid[q][node];
            }
        r->force[2 * k] = y[0] * p[0] - p[1];
        r->force[2 * k + 1] = y[1] * p[0] - p[2];
        /* 1 / (1 + d^2) = (1 + |y_i|^2 - 2 y_i y_j + |y_j|^2) / (1 + d^2)^2; less the point itself. */
        sum += (1 + y[0] * y[0] + y[1] * y[1]) * p[0] - 2 * (y[0] * p[1] + y[1] * p[2]) + p[3] - own(r, wx, wy);
    }
    return sum;
}

static void sort_into_bands(repulsion *r)
{
    double w[4];

    memset(r->start, 0, (r->bands + 2) * sizeof *r->start);
    for (size_t k = 0; k < r->n; k++)
        r->start[place(r, r->y[2 * k + 1], r->y0, w) / BAND + 2]++;
    for (size_t b = 2; b < r->bands + 2; b++)
        r->start[b] += r->start[b - 1];
    for (size_t k = 0; k < r->n; k++)
        r->order[r->start[place(r, r->y[2 * k + 1], r->y0, w) / BAND + 1]++] = (uint32_t)k;
}

/* ---- The convolution --------------------------------------------------------------------- */

/* Eight rows of two grids, the parts of one complex one, transformed in place; forward: m columns in, N out. */
static void transform_rows(repulsion *r, double *const pair[2], size_t row, bool back, double *s)
{
    size_t N = r->N, rows = r->m - row < L ? r->m - row : L, in = back ? N : r->m, out = back ? r->m : N;
    double *re = s, *im = s + N * L;

    memset(s, 0, 2 * N * L * sizeof *s);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < in; j++) {
            re[j * L + i] = pair[0][(row + i) * r->width + j];
            im[j * L + i] = pair[1][(row + i) * r->width + j];
        }
    if (back)
        fft_run(&r->f, im, re, s + 3 * N * L, s + 2 * N * L);
    else
        fft_run(&r->f, re, im, s + 2 * N * L, s + 3 * N * L);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < out; j++) {
            pair[0][(row + i) * r->width + j] = re[j * L + i];
            pair[1][(row + i) * r->width + j] = im[j * L + i];
        }
}

/* Eight columns: forward, times the kernel, and back, without leaving the cache. */
static void convolve_columns(repulsion *r, double *const pair[2], size_t column, double *s)
{
    size_t N = r->N, bytes = L * sizeof *s;
    double *re = s, *im = s + N * L;

    for (size_t i = 0; i < r->m; i++) {
        memcpy(re + i * L, pair[0] + i * r->width + column, bytes);
        memcpy(im + i * L, pair[1] + i * r->width + column, bytes);
    }
    memset(re + r->m * L, 0, (N - r->m) * bytes);
    memset(im + r->m * L, 0, (N - r->m) * bytes);
    fft_run(&r->f, re, im, s + 2 * N * L, s + 3 * N * L);
    for (size_t i = 0; i < N; i++)
        for (size_t c = 0; c < L; c++) {
            double k = column + c < N ? r->kernel[i * N + column + c] : 0;
            re[i * L + c] *= k;
            im[i * L + c] *= k;
        }
    fft_run(&r->f, im, re, s + 3 * N * L, s + 2 * N * L);
    for (size_t i = 0; i < r->m; i++) {
        memcpy(pair[0] + i * r->width + column, re + i * L, bytes);
        memcpy(pair[1] + i * r->width + column, im + i * L, bytes);
    }
}

/* The distance of node i of N from node 0, round the edge. */
static double round_distance(const repulsion *r, size_t i)
{
    return r->spacing * (double)(i <= r->N / 2 ? i : r->N - i);
}

/* Rows of the kernel, whose transform is real, since it is even. */
static void kernel_rows(repulsion *r, size_t row, double *s)
{
    size_t N = r->N;
    double *re = s, *im = s + N * L;

    memset(im, 0, N * L * sizeof *im);
    for (size_t j = 0; j < N; j++)
        for (size_t i = 0; i < L; i++) {
            double dy = row + i < N ? round_distance(r, row + i) : 0, dx = round_distance(r, j), q = 1 + dx * dx + dy * dy;
            re[j * L + i] = 1 / (q * q);
        }
    fft_run(&r->f, re, im, s + 2 * N * L, s + 3 * N * L);
    for (size_t i = 0; i < L && row + i < N; i++)
        for (size_t j = 0; j < N; j++)
            r->kernel[(row + i) * N + j] = re[j * L + i];
}

static void kernel_columns(repulsion *r, size_t column, double *s)
{
    size_t N = r->N, have = N - column < L ? N - column : L;
    double *re = s, *im = s + N * L, scale = 1 / ((double)N * (double)N); /* the inverse's factor */

    memset(s, 0, 2 * N * L * sizeof *s);
    for (size_t i = 0; i < N; i++)
        memcpy(re + i * L, r->kernel + i * N + column, have * sizeof *re);
    fft_run(&r->f, re, im, s + 2 * N * L, s + 3 * N * L);
    for (size_t i = 0; i < N; i++)
        for (size_t c = 0; c < have; c++)
            r->kernel[i * N + column + c] = re[i * L + c] * scale;
}

/* ---- Threads ----------------------------------------------------------------------------- */

static void work(void *item, int worker, void *arg)
{
    repulsion *r = arg;
    job *j = item;
    double *s = r->scratch[worker];

    for (size_t i = j->from; i < j->to; i++)
        switch (r->doing) {
        case SPREAD_EVEN: spread(r, 2 * i); break;
        case SPREAD_ODD: spread(r, 2 * i + 1); break;
        case KERNEL_ROWS: kernel_rows(r, L * i, s); break;
        case KERNEL_COLUMNS: kernel_columns(r, L * i, s); break;
        case ROWS_FORWARD:
        case ROWS_BACK:
            for (int pair = 0; pair < CHARGES; pair += 2)
                transform_rows(r, r->grid + pair, L * i, r->doing == ROWS_BACK, s);
            break;
        case COLUMNS:
            for (int pair = 0; pair < CHARGES; pair += 2)
                convolve_columns(r, r->grid + pair, L * i, s);
            break;
        case GATHER:
            j->sum = gather(r, CHUNK * i, CHUNK * (i + 1) < r->n ? CHUNK * (i + 1) : r->n);
            break;
        }
}

/* Items 0..n-1 of a phase; each sum of GATHER is of one chunk, so that they are added in one order. */
static double each(repulsion *r, phase what, size_t n)
{
    size_t most = what == GATHER ? 1 : n / MAX_JOBS + 1, put = 0;
    double sum = 0;

    r->doing = what;
    for (size_t i = 0; i < n;) {
        for (put = 0; put < MAX_JOBS && i < n; put++, i += most) {
            r->jobs[put] = (job){i, i + most < n ? i + most : n, 0};
            pool_put(r->p, &r->jobs[put]);
        }
        for (job *j; (j = pool_take(r->p, true));)
            sum += j->sum;
    }
    return sum;
}

/* ---- Grids ------------------------------------------------------------------------------- */

static void *aligned(size_t n)
{
    void *p;

    return posix_memalign(&p, 64, n * sizeof(double)) ? NULL : p;
}

static int resize(repulsion *r, size_t N, err *e)
{
    size_t width = (N + L - 1) / L * L, rows = N / 2 + 1;

    r->N = N;
    r->width = width;
    fft_clear(&r->f);
    if (fft_init(&r->f, N, e))
        return -1;
    if (width * rows <= r->cap)
        return 0;
    r->cap = 0;
    free(r->kernel);
    r->kernel = aligned(N * N);
    bool ok = r->kernel;
    for (int q = 0; q < CHARGES; q++) {
        free(r->grid[q]);
        ok = (r->grid[q] = aligned(width * rows)) && ok;
    }
    for (int i = 0; i < r->threads; i++) {
        free(r->scratch[i]);
        ok = (r->scratch[i] = aligned(4 * N * L)) && ok;
    }
    free(r->start);
    r->start = malloc((rows / BAND + 4) * sizeof *r->start);
    if (!ok || !r->start)
        return err_nomem(e);
    r->cap = width * rows;
    return 0;
}

/* Lay the grid over the points. */
static int lay(repulsion *r, err *e)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};

    for (size_t k = 0; k < r->n; k++)
        for (int a = 0; a < 2; a++) {
            low[a] = fmin(low[a], r->y[2 * k + (size_t)a]);
            high[a] = fmax(high[a], r->y[2 * k + (size_t)a]);
        }
    double span = fmax(high[0] - low[0], high[1] - low[1]);
    double spacing = fmin(fmax(SPACING, span / MOST), fmax(span / LEAST, 1e-9));
    r->spacing = spacing;
    r->m = (size_t)ceil(span / spacing) + 2 * EDGE + 1;
    r->x0 = low[0] - EDGE * spacing;
    r->y0 = low[1] - EDGE * spacing;
    /* Where the length changed by rounding only, the old one still serves. */
    size_t N = fft_length(2 * r->m);
    r->bands = r->m / BAND + 1;
    if (N != r->N) {
        r->at = 0;
        if (resize(r, N, e))
            return -1;
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            double q = 1 + spacing * spacing * (i * i + j * j);
            r->near[i][j] = 1 / (q * q);
        }
    if (r->at != spacing) {
        each(r, KERNEL_ROWS, (N + L - 1) / L);
        each(r, KERNEL_COLUMNS, (N + L - 1) / L);
        r->at = spacing;
    }
    return 0;
}

repulsion *repulsion_new(size_t n, int threads, err *e)
{
    repulsion *r = calloc(1, sizeof *r);

    if (!r) {
        err_nomem(e);
        return NULL;
    }
    r->n = n;
    r->threads = threads;
    r->scratch = calloc((size_t)threads, sizeof *r->scratch);
    r->order = malloc((n + 1) * sizeof *r->order);
    if (!r->scratch || !r->order)
        err_nomem(e);
    else if ((r->p = pool_new(threads, MAX_JOBS, work, r, e)))
        return r;
    repulsion_free(r);
    return NULL;
}

void repulsion_free(repulsion *r)
{
    if (!r)
        return;
    pool_free(r->p);
    fft_clear(&r->f);
    free(r->kernel);
    for (int q = 0; q < CHARGES; q++)
        free(r->grid[q]);
    for (int i = 0; r->scratch && i < r->threads; i++)
        free(r->scratch[i]);
    free(r->scratch);
    free(r->order);
    free(r->start);
    free(r);
}

double repulsion_run(repulsion *r, const double *y, double *force, err *e)
{
    r->y = y;
    r->force = force;
    if (lay(r, e))
        return -1;
    size_t panels = (r->m + L - 1) / L;
    sort_into_bands(r);
    for (int q = 0; q < CHARGES; q++)
        for (size_t i = 0; i < r->m; i++)
            memset(r->grid[q] + i * r->width, 0, r->m * sizeof *r->grid[q]);
    each(r, SPREAD_EVEN, (r->bands + 1) / 2);
    each(r, SPREAD_ODD, r->bands / 2);
    each(r, ROWS_FORWARD, panels);
    each(r, COLUMNS, r->width / L);
    each(r, ROWS_BACK, panels);
    return each(r, GATHER, (r->n + CHUNK - 1) / CHUNK);
}
