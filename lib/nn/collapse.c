#include "nn/collapse.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

double collapse_std(const float *x, int n, int D, err *e)
{
    double sum = 0;

    if (n < 1 || D < 1)
        return 0;
    double *mean = calloc(2 * (size_t)D, sizeof *mean);
    if (!mean)
        return err_nomem(e);
    double *square = mean + D;
    for (int i = 0; i < n; i++) {
        const float *row = x + (size_t)i * (size_t)D;
        double norm = 0;
        for (int d = 0; d < D; d++)
            norm += (double)row[d] * row[d];
        double scale = norm > 0 ? 1 / sqrt(norm) : 0;
        for (int d = 0; d < D; d++) {
            double v = row[d] * scale;
            mean[d] += v;
            square[d] += v * v;
        }
    }
    for (int d = 0; d < D; d++) {
        double variance = square[d] / n - mean[d] / n * (mean[d] / n);
        sum += variance > 0 ? sqrt(variance) : 0;
    }
    free(mean);
    return sum / D;
}

/*
 * Householder's reduction of the symmetric n x n matrix a (destroyed) to a
 * tridiagonal one: diagonal d, off-diagonal e[1..n-1] (Golub and Van Loan,
 * Matrix Computations, section 8.3.1).
 */
static void tridiagonalize(double *a, int n, double *d, double *e, double *p)
{
    for (int k = 0; k < n - 2; k++) {
        double *v = a + (size_t)k * (size_t)n; /* row k right of the diagonal */
        double norm = 0, beta = 0, dot = 0;

        for (int j = k + 1; j < n; j++)
            norm += v[j] * v[j];
        norm = sqrt(norm);
        d[k] = v[k];
        e[k + 1] = v[k + 1] > 0 ? -norm : norm;
        if (norm == 0)
            continue;
        v[k + 1] -= e[k + 1];
        for (int j = k + 1; j < n; j++)
            beta += v[j] * v[j];
        beta = 2 / beta;
        /* A' = A - v w^T - w v^T with p = beta A v and w = p - (beta p.v / 2) v. */
        for (int i = k + 1; i < n; i++) {
            const double *row = a + (size_t)i * (size_t)n;
            double sum = 0;
            for (int j = k + 1; j < n; j++)
                sum += row[j] * v[j];
            p[i] = beta * sum;
            dot += p[i] * v[i];
        }
        for (int i = k + 1; i < n; i++)
            p[i] -= beta * dot / 2 * v[i];
        for (int i = k + 1; i < n; i++) {
            double *row = a + (size_t)i * (size_t)n;
            for (int j = k + 1; j < n; j++)
                row[j] -= v[i] * p[j] + p[i] * v[j];
        }
    }
    if (n > 1) {
        d[n - 2] = a[(size_t)(n - 2) * (size_t)n + (size_t)n - 2];
        e[n - 1] = a[(size_t)(n - 2) * (size_t)n + (size_t)n - 1];
    }
    d[n - 1] = a[(size_t)n * (size_t)n - 1];
}

/* Eigenvalues of the tridiagonal matrix into d: implicit QL with Wilkinson's shift (ibid., section 8.3.5). */
static void ql(double *d, double *e, int n)
{
    for (int i = 1; i < n; i++)
        e[i - 1] = e[i];
    e[n - 1] = 0;
    for (int l = 0; l < n; l++)
        for (int round = 0; round < 64; round++) {
            int m = l;
            while (m < n - 1 && fabs(e[m]) > DBL_EPSILON * (fabs(d[m]) + fabs(d[m + 1])))
                m++;
            if (m == l)
                break;
            double g = (d[l + 1] - d[l]) / (2 * e[l]), r = hypot(g, 1), s = 1, c = 1, p = 0;
            g = d[m] - d[l] + e[l] / (g + copysign(r, g));
            int i = m - 1;
            for (; i >= l; i--) {
                double f = s * e[i], b = c * e[i];
                e[i + 1] = r = hypot(f, g);
                if (r == 0) {
                    d[i + 1] -= p;
                    e[m] = 0;
                    break;
                }
                s = f / r;
                c = g / r;
                g = d[i + 1] - p;
                r = (d[i] - g) * s + 2 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
            }
            if (i >= l)
                continue;
            d[l] -= p;
            e[l] = g;
            e[m] = 0;
        }
}

/* The smaller of X X^T and X^T X over the chosen rows; its eigenvalues are the squared singular values. */
static void gram(const float *x, int n, int D, int rows, double *a)
{
    int k = rows < D ? rows : D;

    for (int i = 0; i < k; i++)
        for (int j = 0; j <= i; j++) {
            double sum = 0;
            if (rows < D) {
                const float *u = x + (size_t)((int64_t)i * n / rows) * (size_t)D;
                const float *v = x + (size_t)((int64_t)j * n / rows) * (size_t)D;
                for (int d = 0; d < D; d++)
                    sum += (double)u[d] * v[d];
            } else {
                for (int r = 0; r < rows; r++) {
                    const float *u = x + (size_t)((int64_t)r * n / rows) * (size_t)D;
                    sum += (double)u[i] * u[j];
                }
            }
            a[i * k + j] = a[j * k + i] = sum;
        }
}

double collapse_rank(const float *x, int n, int D, err *e)
{
    int rows = n < COLLAPSE_MAX_ROWS ? n : COLLAPSE_MAX_ROWS, k = rows < D ? rows : D;
    double total = 0, entropy = 0;

    if (k < 1)
        return 0;
    double *a = malloc(((size_t)k * (size_t)k + 3 * (size_t)k) * sizeof *a);
    if (!a)
        return err_nomem(e);
    double *d = a + (size_t)k * (size_t)k, *off = d + k, *p = off + k;
    gram(x, n, D, rows, a);
    tridiagonalize(a, k, d, off, p);
    ql(d, off, k);
    /* Squaring halved the digits: what is below the square root of the precision is noise. */
    double largest = 0;
    for (int i = 0; i < k; i++)
        largest = d[i] > largest ? d[i] : largest;
    for (int i = 0; i < k; i++) {
        d[i] = d[i] > largest * k * DBL_EPSILON ? sqrt(d[i]) : 0;
        total += d[i];
    }
    for (int i = 0; i < k && total > 0; i++)
        if (d[i] > 0)
            entropy -= d[i] / total * log(d[i] / total);
    free(a);
    return total > 0 && isfinite(entropy) ? exp(entropy) : 0;
}
