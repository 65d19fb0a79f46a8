#include "nn/collapse.h"

#include "base/eigen.h"

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
    double *a = malloc(((size_t)k * (size_t)k + (size_t)k) * sizeof *a);
    if (!a)
        return err_nomem(e);
    double *d = a + (size_t)k * (size_t)k;
    gram(x, n, D, rows, a);
    if (eigen_values(a, (size_t)k, d, e)) {
        free(a);
        return -1;
    }
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
