/* The transform against its definition, for every radix. */
#include "eval/fft.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static void compare(size_t n)
{
    fft f;
    err e = {0};
    double *b[4];

    cr_assert_eq(fft_init(&f, n, &e), 0);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(posix_memalign((void **)&b[i], 64, n * FFT_LANES * sizeof **b), 0);
    double *re = malloc(n * FFT_LANES * sizeof *re), *im = malloc(n * FFT_LANES * sizeof *im);
    for (size_t i = 0; i < n * FFT_LANES; i++) {
        re[i] = b[0][i] = (double)((i * 7919) % 1009) / 1009 - 0.5;
        im[i] = b[1][i] = (double)((i * 104729) % 997) / 997 - 0.5;
    }
    fft_run(&f, b[0], b[1], b[2], b[3]);
    for (size_t lane = 0; lane < FFT_LANES; lane++)
        for (size_t k = 0; k < n; k++) {
            double r = 0, s = 0;
            for (size_t t = 0; t < n; t++) {
                double a = -2 * acos(-1.0) * (double)(k * t % n) / (double)n, x = re[t * FFT_LANES + lane], y = im[t * FFT_LANES + lane];
                r += x * cos(a) - y * sin(a);
                s += x * sin(a) + y * cos(a);
            }
            cr_assert_float_eq(b[0][k * FFT_LANES + lane], r, 1e-10, "n %zu k %zu: %g, not %g", n, k, b[0][k * FFT_LANES + lane], r);
            cr_assert_float_eq(b[1][k * FFT_LANES + lane], s, 1e-10);
        }
    fft_run(&f, b[1], b[0], b[3], b[2]);
    for (size_t i = 0; i < n * FFT_LANES; i++)
        cr_assert_float_eq(b[0][i] / (double)n, re[i], 1e-12, "n %zu: there and back", n);
    for (int i = 0; i < 4; i++)
        free(b[i]);
    free(re);
    free(im);
    fft_clear(&f);
}

Test(fft, definition)
{
    static const size_t lengths[] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 30, 36, 40, 50, 60, 64, 75, 96, 100, 120, 180, 225, 240};

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        compare(lengths[i]);
}

Test(fft, lengths)
{
    cr_assert_eq(fft_length(1), 1);
    cr_assert_eq(fft_length(7), 8);
    cr_assert_eq(fft_length(11), 12);
    cr_assert_eq(fft_length(1153), 1200);
}
