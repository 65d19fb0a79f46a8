#include "eval/scores.h"

#include <math.h>

#define Z 1.959963984540054 /* 97.5 % point of the standard normal */

void scores_count(int64_t *confusion, int classes, const int32_t *truth, const int32_t *predicted, size_t n)
{
    for (size_t i = 0; i < n; i++)
        confusion[(size_t)truth[i] * (size_t)classes + (size_t)predicted[i]]++;
}

int64_t scores_correct(const int64_t *confusion, int classes)
{
    int64_t sum = 0;

    for (size_t c = 0; c < (size_t)classes; c++)
        sum += confusion[c * (size_t)classes + c];
    return sum;
}

int64_t scores_total(const int64_t *confusion, int classes)
{
    int64_t sum = 0;

    for (size_t i = 0; i < (size_t)classes * (size_t)classes; i++)
        sum += confusion[i];
    return sum;
}

double scores_macro_f1(const int64_t *confusion, int classes)
{
    size_t n = (size_t)classes, used = 0;
    double sum = 0;

    for (size_t c = 0; c < n; c++) {
        int64_t occurs = 0, predicted = 0, hit = confusion[c * n + c];
        for (size_t o = 0; o < n; o++) {
            occurs += confusion[c * n + o];
            predicted += confusion[o * n + c];
        }
        if (occurs + predicted == 0)
            continue;
        sum += 2.0 * (double)hit / (double)(occurs + predicted);
        used++;
    }
    return used ? sum / (double)used : 0;
}

interval scores_wilson(int64_t correct, int64_t n)
{
    double p = (double)correct / (double)n, z2n = Z * Z / (double)n;
    double centre = p + z2n / 2, half = Z * sqrt((p * (1 - p) + z2n / 4) / (double)n);

    return (interval){correct == 0 ? 0 : (centre - half) / (1 + z2n), correct == n ? 1 : (centre + half) / (1 + z2n)};
}

/* The 97.5 % point of Student's t with that many degrees of freedom. */
static double student_t(int freedom)
{
    static const double t[] = {
        12.706204736, 4.302652730, 3.182446305, 2.776445105, 2.570581836, 2.446911851, 2.364624252, 2.306004135,
        2.262157163, 2.228138852, 2.200985160, 2.178812830, 2.160368656, 2.144786688, 2.131449546, 2.119905299,
        2.109815578, 2.100922040, 2.093024054, 2.085963447,
    };
    double v = freedom;

    if (freedom <= (int)(sizeof t / sizeof *t))
        return t[freedom - 1];
    /* Abramowitz and Stegun, 26.7.5; within 1e-5 here. */
    double z3 = Z * Z * Z, z5 = z3 * Z * Z, z7 = z5 * Z * Z;
    return Z + (z3 + Z) / (4 * v) + (5 * z5 + 16 * z3 + 3 * Z) / (96 * v * v) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * Z) / (384 * v * v * v);
}

interval scores_mean(const double *v, int n, double *mean)
{
    double sum = 0, squares = 0;

    for (int i = 0; i < n; i++)
        sum += v[i];
    *mean = sum / n;
    for (int i = 0; i < n; i++)
        squares += (v[i] - *mean) * (v[i] - *mean);
    double half = student_t(n - 1) * sqrt(squares / (n - 1) / n);
    return (interval){fmax(0, *mean - half), fmin(1, *mean + half)};
}
