#include "base/eigen.h"

#include "base/panel.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Householder's reduction to a tridiagonal matrix: diagonal d, off-diagonal
 * off[0..n-2]. Row k of a keeps its reflection's vector right of the diagonal,
 * beta[k] = 2 / v.v (0: no reflection).
 */
static void tridiagonalise(double *a, size_t n, double *d, double *off, double *beta, double *p)
{
    for (size_t k = 0; k < n; k++) {
        double *v = a + k * n;
        size_t m = n - k - 1;
        d[k] = v[k];
        beta[k] = 0;
        if (m == 0)
            break;
        off[k] = v[k + 1];
        double norm = sqrt(panel_dot(v + k + 1, v + k + 1, m));
        if (m == 1 || norm == 0)
            continue;
        off[k] = v[k + 1] > 0 ? -norm : norm;
        v[k + 1] -= off[k];
        beta[k] = 2 / panel_dot(v + k + 1, v + k + 1, m);
        /* A' = A - v w' - w v' with p = beta A v and w = p - (beta p.v / 2) v. */
        for (size_t i = k + 1; i < n; i++)
            p[i] = beta[k] * panel_dot(a + i * n + k + 1, v + k + 1, m);
        double half = beta[k] * panel_dot(p + k + 1, v + k + 1, m) / 2;
        for (size_t i = k + 1; i < n; i++)
            p[i] -= half * v[i];
        for (size_t i = k + 1; i < n; i++) {
            double *row = a + i * n, x = v[i], y = p[i];
            for (size_t j = k + 1; j < n; j++)
                row[j] -= x * p[j] + y * v[j];
        }
    }
}

/* q [n][n] = the transposed product of the reflections: row j becomes the j-th eigenvector. */
static void accumulate(const double *a, size_t n, const double *beta, double *q)
{
    memset(q, 0, n * n * sizeof *q);
    for (size_t i = 0; i < n; i++)
        q[i * n + i] = 1;
    for (size_t k = n; k-- > 0;) {
        const double *v = a + k * n;
        if (beta[k] == 0)
            continue;
        for (size_t i = k + 1; i < n; i++) {
            double *row = q + i * n, s = beta[k] * panel_dot(row + k + 1, v + k + 1, n - k - 1);
            for (size_t j = k + 1; j < n; j++)
                row[j] -= s * v[j];
        }
    }
}

static void rotate(double *x, double *y, size_t n, double c, double s)
{
    for (size_t i = 0; i < n; i++) {
        double f = y[i];
        y[i] = s * x[i] + c * f;
        x[i] = c * x[i] - s * f;
    }
}

/*
 * Implicit QL with Wilkinson's shift; the rotations are applied to the rows of
 * q, unless it is NULL. An off-diagonal counts as zero when it is beside the
 * whole matrix: among values that are rounding themselves, waiting until it is
 * beside its neighbours can take for ever.
 */
static void ql(double *d, double *e, size_t n, double *q)
{
    double largest = 0;

    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(d[i]) + fabs(e[i]));
    for (size_t l = 0; l < n; l++)
        for (int round = 0; round < 64; round++) {
            size_t m = l;
            while (m < n - 1 && fabs(e[m]) > DBL_EPSILON * largest)
                m++;
            if (m == l)
                break;
            double g = (d[l + 1] - d[l]) / (2 * e[l]), r = hypot(g, 1), s = 1, c = 1, p = 0;
            g = d[m] - d[l] + e[l] / (g + copysign(r, g));
            size_t i = m;
            while (i-- > l) {
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
                if (q)
                    rotate(q + i * n, q + (i + 1) * n, n, c, s);
            }
            if (i + 1 > l && i < m) /* left early */
                continue;
            d[l] -= p;
            e[l] = g;
            e[m] = 0;
        }
}

/* The vectors in the order of their values, into a. */
static void order(double *a, size_t n, const double *q, const double *d, double *value)
{
    for (size_t i = 0; i < n; i++) {
        size_t rank = 0, top = 0;
        const double *from = q + i * n;
        for (size_t j = 0; j < n; j++) {
            rank += d[j] > d[i] || (d[j] == d[i] && j < i);
            if (fabs(from[j]) > fabs(from[top]))
                top = j;
        }
        double sign = from[top] < 0 ? -1 : 1;
        value[rank] = d[i];
        for (size_t j = 0; j < n; j++)
            a[rank * n + j] = sign * from[j];
    }
}

int eigen_symmetric(double *a, size_t n, double *value, err *e)
{
    double *q = malloc((n * n + 4 * n) * sizeof *q);

    if (!q)
        return err_nomem(e);
    double *d = q + n * n, *off = d + n, *beta = off + n, *p = beta + n;
    memset(d, 0, 4 * n * sizeof *d);
    tridiagonalise(a, n, d, off, beta, p);
    accumulate(a, n, beta, q);
    off[n - 1] = 0;
    ql(d, off, n, q);
    order(a, n, q, d, value);
    free(q);
    return 0;
}

int eigen_values(double *a, size_t n, double *value, err *e)
{
    double *off = calloc(3 * n, sizeof *off);

    if (!off)
        return err_nomem(e);
    tridiagonalise(a, n, value, off, off + n, off + 2 * n);
    off[n - 1] = 0;
    ql(value, off, n, NULL);
    free(off);
    return 0;
}
