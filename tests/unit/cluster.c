/* Clustering against plain loops: k-means, principal components, Sinkhorn-Knopp, agreement of groupings. */
#include "base/rng.h"
#include "eval/agreement.h"
#include "base/eigen.h"
#include "eval/kmeans.h"
#include "eval/pca.h"
#include "eval/sinkhorn.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *normals(size_t n, uint64_t seed)
{
    float *x = malloc((n + PCA_PADDING) * sizeof *x);
    rng r = rng_at(seed);

    for (size_t i = 0; i < n; i++)
        x[i] = (float)rng_normal(&r);
    return x;
}

/* ---- k-means ------------------------------------------------------------------------- */

static double distance2(const float *a, const float *b, size_t dim)
{
    double sum = 0;

    for (size_t d = 0; d < dim; d++)
        sum += ((double)a[d] - b[d]) * ((double)a[d] - b[d]);
    return sum;
}

/* At a fixed point each row is with its nearest centroid, and each centroid is the mean of its rows. */
static void check_fixed_point(const float *x, size_t n, size_t dim, int K, const float *c, const int32_t *a, double objective)
{
    double total = 0;

    for (size_t i = 0; i < n; i++) {
        double own = distance2(x + i * dim, c + (size_t)a[i] * dim, dim);
        total += own / (double)n;
        for (int k = 0; k < K; k++)
            cr_assert_geq(distance2(x + i * dim, c + (size_t)k * dim, dim), own - 1e-4 * (1 + own));
    }
    cr_assert_float_eq(total, objective, 1e-4 * (1 + total), "%g is not %g", objective, total);
    for (int k = 0; k < K; k++)
        for (size_t d = 0; d < dim; d++) {
            double sum = 0;
            size_t count = 0;
            for (size_t i = 0; i < n; i++)
                if (a[i] == k) {
                    sum += x[i * dim + d];
                    count++;
                }
            if (count)
                cr_assert_float_eq(c[(size_t)k * dim + d], sum / (double)count, 1e-5);
        }
}

static kmeans_result run(const float *x, size_t n, size_t dim, kmeans_options o, float *c, int32_t *a)
{
    kmeans_result r;
    err e = {0};

    o.threads = o.threads ? o.threads : 1;
    o.iterations = o.iterations ? o.iterations : 500;
    cr_assert_eq(kmeans_run(x, n, dim, &o, c, a, &r, &e), 0, "%s", e.msg);
    return r;
}

Test(kmeans, ends_at_a_fixed_point)
{
    static const struct { size_t n, dim; int K; } cases[] = {{500, 3, 7}, {97, 1, 4}, {1000, 33, 40}, {300, 17, 16}, {10, 2, 10}, {5, 4, 1}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int start = 0; start < 2; start++) {
            size_t n = cases[i].n, dim = cases[i].dim;
            int K = cases[i].K;
            float *x = normals(n * dim, i), *c = malloc((size_t)K * dim * sizeof *c);
            int32_t *a = malloc(n * sizeof *a);
            kmeans_result r = run(x, n, dim, (kmeans_options){.clusters = K, .start = (kmeans_start)start}, c, a);
            check_fixed_point(x, n, dim, K, c, a, r.objective);
            free(x);
            free(c);
            free(a);
        }
}

/* Lloyd's iterations with every row compared with every centroid, in the arithmetic that kmeans.h states. */
static void plain_lloyd(const float *x, size_t n, size_t dim, int K, int iterations, float *c, int32_t *a)
{
    double *sum = malloc(dim * sizeof *sum);

    for (int t = 0;; t++) {
        for (size_t i = 0; i < n; i++) {
            float most = -INFINITY;
            for (int k = 0; k < K; k++) {
                double square = 0;
                for (size_t d = 0; d < dim; d++)
                    square += (double)c[(size_t)k * dim + d] * c[(size_t)k * dim + d];
                float value = (float)(-square / 2);
                for (size_t d = 0; d < dim; d++)
                    value += x[i * dim + d] * c[(size_t)k * dim + d];
                if (value > most) {
                    most = value;
                    a[i] = k;
                }
            }
        }
        if (t == iterations)
            break;
        for (int k = 0; k < K; k++) {
            size_t count = 0;
            memset(sum, 0, dim * sizeof *sum);
            for (size_t i = 0; i < n; i++)
                if (a[i] == k) {
                    for (size_t d = 0; d < dim; d++)
                        sum[d] += x[i * dim + d];
                    count++;
                }
            for (size_t d = 0; d < dim && count; d++)
                c[(size_t)k * dim + d] = (float)(sum[d] / (double)count);
        }
    }
    free(sum);
}

/* What is skipped could not have won: to the bit. Rows that are there twice make equals. */
Test(kmeans, is_the_same_as_comparing_all)
{
    static const struct { size_t n, dim; int K; } cases[] = {{3000, 24, 200}, {2001, 64, 70}, {1500, 5, 300}, {700, 40, 17}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int t = 0; t < 9; t += 2) {
            size_t n = cases[i].n, dim = cases[i].dim;
            int K = cases[i].K;
            float *x = normals(n * dim, 7 + i), *c[2];
            int32_t *a[2];
            for (size_t j = 0; j < n * dim; j++) /* groups of their own, so that much is skipped */
                x[j] = 0.3f * x[j] + (float)(j / dim % 11 * (j % dim + 1) % 7);
            memcpy(x, x + n / 2 * dim, n / 4 * dim * sizeof *x);
            for (int k = 0; k < 2; k++) {
                c[k] = malloc((size_t)K * dim * sizeof *c[k]);
                a[k] = malloc(n * sizeof *a[k]);
            }
            kmeans_options o = {.clusters = K, .threads = 1};
            kmeans_result r;
            err e = {0};
            cr_assert_eq(kmeans_run(x, n, dim, &o, c[0], a[0], &r, &e), 0, "%s", e.msg); /* the start */
            plain_lloyd(x, n, dim, K, t, c[0], a[0]);
            o.iterations = t;
            cr_assert_eq(kmeans_run(x, n, dim, &o, c[1], a[1], &r, &e), 0, "%s", e.msg);
            cr_assert_eq(r.splits, 0);
            cr_assert_arr_eq(a[0], a[1], n * sizeof *a[0], "%d clusters, %d iterations", K, t);
            cr_assert_arr_eq(c[0], c[1], (size_t)K * dim * sizeof *c[0]);
            for (int k = 0; k < 2; k++) {
                free(c[k]);
                free(a[k]);
            }
            free(x);
        }
}

Test(kmeans, plusplus_finds_separate_groups)
{
    enum { N = 600, D = 5, K = 12 };
    float *x = normals(N * D, 3), c[K * D];
    int32_t a[N];

    for (int i = 0; i < N; i++)
        x[i * D + i % K % D] += 200.0f * (float)(1 + i % K / D);
    run(x, N, D, (kmeans_options){.clusters = K}, c, a);
    for (int i = K; i < N; i++)
        cr_assert_eq(a[i], a[i % K]);
    for (int i = 0; i < K; i++)
        for (int j = 0; j < i; j++)
            cr_assert_neq(a[i], a[j]);
    free(x);
}

Test(kmeans, the_objective_never_rises)
{
    float *x = normals(2000 * 8, 9), *c = malloc(50 * 8 * sizeof *c);
    int32_t *a = malloc(2000 * sizeof *a);
    double last = INFINITY;

    for (int t = 1; t < 12; t++) {
        kmeans_result r = run(x, 2000, 8, (kmeans_options){.clusters = 50, .iterations = t, .start = KMEANS_RANDOM}, c, a);
        cr_assert_leq(r.objective, last + 1e-6);
        last = r.objective;
    }
    free(x);
    free(c);
    free(a);
}

/* Half the rows are one point: a random start takes it several times, and all but one of those clusters are empty. */
Test(kmeans, empty_clusters_split_a_large_one)
{
    enum { N = 400, D = 6, K = 20 };
    float *x = normals(N * D, 4), c[K * D];
    int32_t a[N];
    int size[K] = {0};

    for (int i = 0; i < N; i += 2)
        memset(x + i * D, 0, D * sizeof *x);
    kmeans_result r = run(x, N, D, (kmeans_options){.clusters = K, .start = KMEANS_RANDOM, .seed = 1}, c, a);
    cr_assert_gt(r.splits, 0);
    for (int i = 0; i < N; i++)
        size[a[i]]++;
    for (int k = 0; k < K; k++)
        cr_assert_gt(size[k], 0, "cluster %d is empty", k);
    check_fixed_point(x, N, D, K, c, a, r.objective);
    free(x);
}

Test(kmeans, fewer_different_rows_than_clusters)
{
    enum { N = 60, K = 10 };
    float x[N], c[K];
    int32_t a[N];

    for (int i = 0; i < N; i++)
        x[i] = (float)(i % 3);
    for (int start = 0; start < 2; start++) {
        kmeans_result r = run(x, N, 1, (kmeans_options){.clusters = K, .start = (kmeans_start)start, .iterations = 30}, c, a);
        cr_assert_float_eq(r.objective, 0, 1e-9);
        for (int i = 3; i < N; i++)
            cr_assert_eq(a[i], a[i % 3]);
    }
}

Test(kmeans, threads_and_repetition_give_the_same_bits)
{
    enum { N = 3000, D = 20, K = 64 };
    float *x = normals(N * D, 5), c[2][K * D];
    int32_t *a[2] = {malloc(N * sizeof(int32_t)), malloc(N * sizeof(int32_t))};

    run(x, N, D, (kmeans_options){.clusters = K, .threads = 1, .iterations = 9}, c[0], a[0]);
    run(x, N, D, (kmeans_options){.clusters = K, .threads = 3, .iterations = 9}, c[1], a[1]);
    cr_assert_arr_eq(c[0], c[1], sizeof c[0]);
    cr_assert_arr_eq(a[0], a[1], N * sizeof(int32_t));
    run(x, N, D, (kmeans_options){.clusters = K, .seed = 1, .iterations = 9}, c[1], a[1]);
    cr_assert_neq(memcmp(a[0], a[1], N * sizeof(int32_t)), 0);
    free(x);
    free(a[0]);
    free(a[1]);
}

/* ---- Eigenvectors and principal components ------------------------------------------------ */

static void check_eigen(double *a, size_t n)
{
    double *v = malloc(n * n * sizeof *v), *value = malloc(n * sizeof *value), scale = 1e-300;
    err e = {0};

    memcpy(v, a, n * n * sizeof *v);
    cr_assert_eq(eigen_symmetric(v, n, value, &e), 0);
    for (size_t i = 0; i < n * n; i++)
        scale = fmax(scale, fabs(a[i]));
    for (size_t k = 0; k < n; k++) {
        if (k > 0)
            cr_assert_leq(value[k], value[k - 1]);
        for (size_t i = 0; i < n; i++) {
            double sum = 0;
            for (size_t j = 0; j < n; j++)
                sum += a[i * n + j] * v[k * n + j];
            cr_assert_float_eq(sum, value[k] * v[k * n + i], 1e-11 * scale * (double)n);
        }
        for (size_t j = 0; j <= k; j++) {
            double dot = 0;
            for (size_t i = 0; i < n; i++)
                dot += v[k * n + i] * v[j * n + i];
            cr_assert_float_eq(dot, j == k, 1e-11 * (double)n);
        }
    }
    free(v);
    free(value);
}

Test(eigen, vectors_of_random_and_special_matrices)
{
    for (size_t n = 1; n <= 60; n += n < 6 ? 1 : 18) {
        float *x = normals(n * n, n);
        double *a = malloc(n * n * sizeof *a);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                a[i * n + j] = (double)x[i * n + j] + x[j * n + i];
        check_eigen(a, n);
        for (size_t i = 0; i < n * n; i++) /* rank one */
            a[i] = (double)x[i / n] * x[i % n];
        check_eigen(a, n);
        for (size_t i = 0; i < n * n; i++) /* repeated values */
            a[i] = i / n == i % n ? (double)(1 + i / n % 2) : 0;
        check_eigen(a, n);
        memset(a, 0, n * n * sizeof *a);
        check_eigen(a, n);
        free(x);
        free(a);
    }
}

/* What is left after some reflections is 0, but not what joins it to the rest. */
Test(eigen, zeros_behind_a_corner)
{
    enum { N = 40 };

    for (int at = 1; at < N; at++) {
        double *a = calloc(N * N, sizeof *a);
        a[at * N + at - 1] = a[(at - 1) * N + at] = 1;
        a[0] += 1;
        check_eigen(a, N);
        free(a);
    }
}

/* Fewer rows than columns: what the rows do not span is rounding, and its values are 0. */
Test(eigen, vectors_of_a_matrix_of_low_rank)
{
    enum { N = 150 };

    for (size_t rank = 1; rank < N; rank += 37) {
        float *x = normals(rank * N, rank);
        double *a = calloc(N * N, sizeof *a), *v = malloc(N * N * sizeof *v), value[N];
        err e = {0};
        for (size_t r = 0; r < rank; r++)
            for (size_t i = 0; i < N * N; i++)
                a[i] += (double)x[r * N + i / N] * x[r * N + i % N];
        check_eigen(a, N);
        memcpy(v, a, N * N * sizeof *v);
        cr_assert_eq(eigen_symmetric(v, N, value, &e), 0);
        cr_assert_gt(value[rank - 1], 1e-3);
        for (size_t i = rank; i < N; i++)
            cr_assert_float_eq(value[i], 0, 1e-9);
        free(x);
        free(a);
        free(v);
    }
}

/* Rows with a covariance that is far from round. */
static float *stretched(size_t n, size_t dim)
{
    float *x = normals(n * dim, 7);

    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dim; d++)
            x[i * dim + d] = x[i * dim + d] * (float)(1 + d) + 2 * x[i * dim] + 5;
    return x;
}

static double covariance(const float *x, size_t n, size_t dim, size_t a, size_t b)
{
    double ma = 0, mb = 0, sum = 0;

    for (size_t i = 0; i < n; i++) {
        ma += x[i * dim + a] / (double)n;
        mb += x[i * dim + b] / (double)n;
    }
    for (size_t i = 0; i < n; i++)
        sum += (x[i * dim + a] - ma) * (x[i * dim + b] - mb) / (double)n;
    return sum;
}

/* All components hold all variance, in falling order; K of them, whitened, have the variance 1. */
static void check_components(size_t N, size_t D, size_t K, int threads)
{
    float *x = stretched(N, D), *y = stretched(N, D);
    double before = 0, kept = 0;
    err e = {0};

    for (size_t d = 0; d < D; d++)
        before += covariance(x, N, D, d, d);
    cr_assert_eq(pca_project(x, N, D, D, false, threads, &e), 0);
    for (size_t d = 0; d < D; d++) {
        kept += covariance(x, N, D, d, d);
        if (d > 0)
            cr_assert_leq(covariance(x, N, D, d, d), covariance(x, N, D, d - 1, d - 1) * (1 + 1e-5));
    }
    cr_assert_float_eq(kept, before, 1e-4 * before);
    cr_assert_eq(pca_project(y, N, D, K, true, threads, &e), 0);
    for (size_t i = 0; i < K; i++)
        for (size_t j = 0; j < K; j++)
            cr_assert_float_eq(covariance(y, N, K, i, j), i == j, 1e-3);
    free(x);
    free(y);
}

Test(pca, components_are_uncorrelated_and_whitened)
{
    check_components(1500, 21, 13, 1);
    check_components(1500, 21, 13, 2);
}

Test(pca, of_fewer_rows_than_columns)
{
    check_components(40, 90, 39, 1);
    check_components(2, 17, 1, 1);
}

Test(pca, a_direction_without_variance_becomes_zero)
{
    enum { N = 200, D = 4 };
    float *x = normals(N * D, 2);
    err e = {0};

    for (size_t i = 0; i < N; i++)
        x[i * D + 3] = x[i * D] + x[i * D + 1];
    cr_assert_eq(pca_project(x, N, D, D, true, 1, &e), 0);
    for (size_t i = 0; i < N; i++) {
        cr_assert(isfinite(x[i * D]));
        cr_assert_eq(x[i * D + 3], 0);
    }
    pca_normalise(x, N, D);
    cr_assert_float_eq(distance2(x, (float[D]){0}, D), 1, 1e-6);
    free(x);
}

/* ---- Sinkhorn-Knopp -------------------------------------------------------------------------- */

/* Scalings of the probabilities themselves, as the paper writes it. */
static void plain_sinkhorn(const float *logits, size_t n, size_t K, double lambda, double *q)
{
    double *a = malloc(n * sizeof *a), *b = malloc(K * sizeof *b);

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < K; k++)
            q[i * K + k] = exp(lambda * logits[i * K + k]);
    for (size_t k = 0; k < K; k++)
        b[k] = 1;
    for (int t = 0; t < 5000; t++) {
        for (size_t i = 0; i < n; i++) {
            double sum = 0;
            for (size_t k = 0; k < K; k++)
                sum += q[i * K + k] * b[k];
            a[i] = 1 / sum / (double)n;
        }
        for (size_t k = 0; k < K; k++) {
            double sum = 0;
            for (size_t i = 0; i < n; i++)
                sum += q[i * K + k] * a[i];
            b[k] = 1 / sum / (double)K;
        }
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < K; k++)
            q[i * K + k] *= a[i] * b[k];
    free(a);
    free(b);
}

Test(sinkhorn, assigns_as_the_plain_scalings_do)
{
    enum { N = 700, K = 9 };
    float *x = normals(N * K, 6);
    double *q = malloc(N * K * sizeof *q), cost = 0;
    int32_t a[N], b[N];
    sinkhorn_result r;
    err e = {0};
    sinkhorn_options o = {K, 3, 1e-10, 5000, 1};

    for (int i = 0; i < N * K; i += K)
        x[i] += 1; /* the first cluster is everybody's favourite */
    cr_assert_eq(sinkhorn_run(x, K, N, &o, a, 1, &r, &e), 0);
    cr_assert_leq(r.deviation, 1e-10);
    plain_sinkhorn(x, N, K, 3, q);
    for (size_t i = 0; i < N; i++) {
        double z = 0;
        for (size_t k = 0; k < K; k++) {
            cr_assert_leq(q[i * K + k], q[i * K + (size_t)a[i]] + 1e-12);
            z += exp(x[i * K + k]);
        }
        cost += (log(z) - x[i * K + (size_t)a[i]]) / N;
    }
    cr_assert_float_eq(r.objective, cost, 1e-9);
    o.threads = 3;
    cr_assert_eq(sinkhorn_run(x, K, N, &o, b, 1, &r, &e), 0);
    cr_assert_arr_eq(a, b, sizeof a);
    free(x);
    free(q);
}

Test(sinkhorn, sizes_come_out_nearly_equal)
{
    enum { N = 4000, K = 20 };
    float *x = normals(N * K, 8);
    int32_t *a = malloc(N * sizeof *a);
    int size[K] = {0};
    sinkhorn_result r;
    err e = {0};

    for (int i = 0; i < N; i++)
        x[i * K + 3] += 4;
    cr_assert_eq(sinkhorn_run(x, K, N, &(sinkhorn_options){K, 20, 1e-2, 1000, 1}, a, 1, &r, &e), 0);
    for (int i = 0; i < N; i++)
        size[a[i]]++;
    for (int k = 0; k < K; k++)
        cr_assert(abs(size[k] - N / K) < N / K / 4, "cluster %d has %d", k, size[k]);
    free(x);
    free(a);
}

/* exp(lambda * logit) is far outside what a double holds; one cluster starts out hopeless. */
Test(sinkhorn, extreme_logits_stay_finite)
{
    enum { N = 300, K = 6 };
    float *x = normals(N * K, 10);
    int32_t a[N];
    int size[K] = {0};
    sinkhorn_result r;
    err e = {0};

    for (int i = 0; i < N * K; i++)
        x[i] = x[i] * 50 + (i % K == 2 ? -5000.0f : 300.0f) + (float)(i / K * 10);
    cr_assert_eq(sinkhorn_run(x, K, N, &(sinkhorn_options){K, 100, 1e-1, 5000, 1}, a, 1, &r, &e), 0);
    cr_assert(isfinite(r.objective) && isfinite(r.deviation));
    for (int i = 0; i < N; i++)
        size[a[i]]++;
    for (int k = 0; k < K; k++)
        cr_assert(size[k] > N / K / 2, "cluster %d has %d after %d iterations, off by %g", k, size[k], r.iterations, r.deviation);
    free(x);
}

Test(sinkhorn, heads_lie_side_by_side)
{
    enum { N = 100, K = 5, H = 3 };
    float *x = normals(N * K * H, 12), one[N * K];
    int32_t a[N * H], b[N];
    sinkhorn_result r;
    err e = {0};
    sinkhorn_options o = {K, 10, 1e-3, 1000, 1};

    for (int h = 0; h < H; h++) {
        cr_assert_eq(sinkhorn_run(x + h * K, K * H, N, &o, a + h, H, &r, &e), 0);
        for (int i = 0; i < N * K; i++)
            one[i] = x[i / K * K * H + h * K + i % K];
        cr_assert_eq(sinkhorn_run(one, K, N, &o, b, 1, &r, &e), 0);
        for (int i = 0; i < N; i++)
            cr_assert_eq(a[i * H + h], b[i]);
    }
    free(x);
}

/* ---- Agreement ---------------------------------------------------------------------------------- */

Test(agreement, known_values)
{
    /* sklearn: normalized_mutual_info_score(average_method="geometric"), adjusted_rand_score. */
    static const int64_t t[] = {5, 1, 0, 2, 7, 3, 0, 2, 10};
    err e = {0};

    cr_assert_float_eq(agreement_nmi(t, 3, 3), 0.389974463, 1e-8);
    cr_assert_float_eq(agreement_ari(t, 3, 3), 0.333938682, 1e-8);
    cr_assert_float_eq(agreement_matched(t, 3, 3, &e), 22.0 / 30, 1e-12);
}

Test(agreement, equal_and_trivial_groupings)
{
    static const int64_t same[] = {0, 4, 0, 3, 0, 0, 0, 0, 6}, single[] = {9}, apart[] = {5, 5, 5, 5};
    err e = {0};

    cr_assert_float_eq(agreement_nmi(same, 3, 3), 1, 1e-12);
    cr_assert_float_eq(agreement_ari(same, 3, 3), 1, 1e-12);
    cr_assert_float_eq(agreement_matched(same, 3, 3, &e), 1, 1e-12);
    cr_assert_eq(agreement_nmi(single, 1, 1), 1);
    cr_assert_eq(agreement_ari(single, 1, 1), 1);
    cr_assert_float_eq(agreement_nmi(apart, 2, 2), 0, 1e-12);
    cr_assert_float_eq(agreement_matched(apart, 2, 2, &e), 0.5, 1e-12);
}

static int64_t best_by_trying(const int64_t *t, size_t A, size_t B, size_t a, unsigned used)
{
    int64_t best = 0;

    if (a == A)
        return 0;
    best = best_by_trying(t, A, B, a + 1, used); /* unmatched */
    for (size_t b = 0; b < B; b++)
        if (!(used >> b & 1)) {
            int64_t v = t[a * B + b] + best_by_trying(t, A, B, a + 1, used | 1u << b);
            best = v > best ? v : best;
        }
    return best;
}

Test(agreement, matching_is_the_best_of_all)
{
    rng r = rng_at(1);
    err e = {0};

    for (int trial = 0; trial < 200; trial++) {
        size_t A = 1 + (size_t)rng_below(&r, 6), B = 1 + (size_t)rng_below(&r, 6);
        int64_t t[36], n = 0;
        for (size_t i = 0; i < A * B; i++)
            n += t[i] = (int64_t)rng_below(&r, 20);
        t[0] += n == 0;
        n += n == 0;
        cr_assert_float_eq(agreement_matched(t, A, B, &e), (double)best_by_trying(t, A, B, 0, 0) / (double)n, 1e-12);
    }
}
