#include "nn/collapse.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static float x[300 * 40];
static err e;

Test(collapse, equal_rows_have_no_spread_and_rank_one)
{
    for (int i = 0; i < 50; i++)
        for (int d = 0; d < 8; d++)
            x[i * 8 + d] = (float)(d + 1);
    cr_assert(collapse_std(x, 50, 8, &e) < 1e-6);
    cr_assert_float_eq(collapse_rank(x, 50, 8, &e), 1, 1e-6);
}

Test(collapse, an_orthogonal_basis_has_full_rank)
{
    memset(x, 0, sizeof x);
    for (int i = 0; i < 30; i++)
        x[i * 30 + i] = 3;
    cr_assert_float_eq(collapse_rank(x, 30, 30, &e), 30, 1e-6);
}

Test(collapse, known_singular_values)
{
    /* 3 and 1: p = 3/4, 1/4. */
    static const float a[] = {3, 0, 0, 0, 0, 1};
    double want = exp(-(0.75 * log(0.75) + 0.25 * log(0.25)));

    cr_assert_float_eq(collapse_rank(a, 2, 3, &e), want, 1e-9);
    cr_assert_float_eq(collapse_rank(a, 3, 2, &e), collapse_rank(a, 3, 2, &e), 0);
}

Test(collapse, even_directions_give_one_over_root_d)
{
    rng r = rng_at(5);

    for (int i = 0; i < 300 * 40; i++)
        x[i] = (float)rng_normal(&r);
    cr_assert_float_eq(collapse_std(x, 300, 40, &e), 1 / sqrt(40), 0.005);
}

Test(collapse, zeros_and_nans_give_zero)
{
    memset(x, 0, sizeof x);
    cr_assert_eq(collapse_rank(x, 20, 5, &e), 0);
    cr_assert_eq(collapse_std(x, 20, 5, &e), 0);
    x[3] = NAN;
    cr_assert_eq(collapse_rank(x, 20, 5, &e), 0);
}
