/* Repulsion against all pairs; a map of separate clusters; the two principal directions. */
#include "base/rng.h"
#include "eval/plane.h"
#include "eval/repulsion.h"
#include "eval/tsne.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void compare(size_t n, double span, double tolerance)
{
    double *y = malloc(2 * n * sizeof *y), *force = malloc(2 * n * sizeof *force), *again = malloc(2 * n * sizeof *again);
    double total = 0, off = 0, size = 0;
    rng r = rng_at(7);
    err e = {0};

    for (size_t i = 0; i < 2 * n; i++)
        y[i] = span * (rng_uniform(&r) - 0.5) + (i % 2 ? 3 : -1);
    repulsion *p = repulsion_new(n, 1, &e), *q = repulsion_new(n, 3, &e);
    double got = repulsion_run(p, y, force, &e);
    cr_assert_eq(got, repulsion_run(q, y, again, &e), "threads change the sum");
    cr_assert_eq(memcmp(force, again, 2 * n * sizeof *force), 0, "threads change forces");
    for (size_t i = 0; i < n; i++) {
        double f[2] = {0, 0};
        for (size_t j = 0; j < n; j++) {
            double dx = y[2 * i] - y[2 * j], dy = y[2 * i + 1] - y[2 * j + 1], w = 1 / (1 + dx * dx + dy * dy);
            total += i == j ? 0 : w;
            f[0] += w * w * dx;
            f[1] += w * w * dy;
        }
        off += hypot(f[0] - force[2 * i], f[1] - force[2 * i + 1]);
        size += hypot(f[0], f[1]);
    }
    cr_expect_float_eq(got / total, 1, tolerance, "n %zu span %g: sum %g, not %g", n, span, got, total);
    cr_expect_lt(off / size, 5 * tolerance, "n %zu span %g: forces are off by %g of %g", n, span, off, size);
    repulsion_free(p);
    repulsion_free(q);
    free(y);
    free(force);
    free(again);
}

Test(repulsion, all_pairs)
{
    compare(4, 1e-4, 1e-3);
    compare(500, 0.01, 1e-3);
    compare(500, 3, 1e-3);
    compare(2000, 30, 5e-3);
    compare(3000, 150, 1e-2);
    compare(1000, 900, 2e-1); /* sparse: hardly any forces */
}

enum { N = 600, D = 10, CLUSTERS = 6, NEIGHBOURS = 30 };

static void clusters(float *x, int *cluster)
{
    rng r = rng_at(1);

    for (int i = 0; i < N; i++) {
        cluster[i] = i % CLUSTERS;
        for (int d = 0; d < D; d++)
            x[i * D + d] = (float)(0.2 * rng_normal(&r) + (d == cluster[i] ? 3 : 0));
    }
}

static void embed(const float *x, int threads, double *y, double *loss)
{
    features f = {.x = x, .n = N, .dim = D};
    static uint32_t v[N];
    static knn_neighbour found[N * NEIGHBOURS], all[N * (NEIGHBOURS + 1)];
    tsne_options o = {.perplexity = 10, .iterations = 400, .threads = threads};
    err e = {0};

    for (uint32_t i = 0; i < N; i++)
        v[i] = i;
    cr_assert_eq(knn_search(&f, (rows){v, N}, (rows){v, N}, NEIGHBOURS + 1, threads, all, &e), 0);
    for (size_t i = 0; i < N; i++) {
        int k = 0;
        for (int j = 0; j <= NEIGHBOURS && k < NEIGHBOURS; j++)
            if (all[i * (NEIGHBOURS + 1) + (size_t)j].row != i)
                found[i * NEIGHBOURS + (size_t)k++] = all[i * (NEIGHBOURS + 1) + (size_t)j];
    }
    cr_assert_eq(plane_project(x, N, D, threads, y, NULL, &e), 0);
    cr_assert_eq(tsne_run(found, N, NEIGHBOURS, &o, y, loss, &e), 0);
}

Test(tsne, clusters_stay_apart)
{
    static float x[N * D];
    static int cluster[N];
    static double y[2 * N], z[2 * N];
    double loss, same;
    int right = 0;

    clusters(x, cluster);
    embed(x, 1, y, &loss);
    embed(x, 3, z, &same);
    cr_assert_eq(memcmp(y, z, sizeof y), 0, "threads change the map");
    cr_assert_eq(loss, same);
    cr_assert(loss > 0 && loss < 1.5, "the divergence is %g", loss);
    for (int i = 0; i < N; i++) {
        int best = -1;
        double nearest = INFINITY;
        for (int j = 0; j < N; j++) {
            double d = hypot(y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1]);
            if (j != i && d < nearest) {
                nearest = d;
                best = j;
            }
        }
        right += cluster[best] == cluster[i];
    }
    cr_assert_geq(right, N - 3, "only %d of %d have a neighbour of their own cluster", right, N);
}

Test(plane, known_directions)
{
    enum { ROWS = 1500, DIM = 37 };
    static float x[ROWS * DIM];
    static double y[2 * ROWS], z[2 * ROWS];
    double share[2], sum[2] = {0}, square[2] = {0};
    rng r = rng_at(3);
    err e = {0};

    /* Deviation 5 along (e4 + e9) / sqrt 2, 3 along e20, 1 along others. */
    for (int i = 0; i < ROWS; i++) {
        double a = 5 * rng_normal(&r), b = rng_normal(&r);
        for (int d = 0; d < DIM; d++)
            x[i * DIM + d] = (float)(10 + rng_normal(&r) * (d == 20 ? 3 : 1));
        x[i * DIM + 4] = (float)((a + b) / sqrt(2));
        x[i * DIM + 9] = (float)((a - b) / sqrt(2));
    }
    cr_assert_eq(plane_project(x, ROWS, DIM, 1, y, share, &e), 0);
    cr_assert_eq(plane_project(x, ROWS, DIM, 3, z, NULL, &e), 0);
    cr_assert_eq(memcmp(y, z, sizeof y), 0, "threads change the projection");
    for (int i = 0; i < 2 * ROWS; i++) {
        sum[i % 2] += y[i];
        square[i % 2] += y[i] * y[i];
    }
    for (int a = 0; a < 2; a++) {
        cr_expect_lt(fabs(sum[a] / ROWS), 1e-4);
        cr_expect_float_eq(sqrt(square[a] / ROWS), a ? 3 : 5, 0.25);
        cr_expect_float_eq(share[a], (a ? 9 : 25) / (34.0 + DIM - 2), 0.05);
    }
    cr_assert_eq(plane_project(x, 5, 1, 1, y, share, &e), 0, "one dimension");
    cr_assert_eq(plane_project(x, 1, DIM, 1, y, share, &e), 0, "one row");
}
