#include "base/lab.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

Test(lab, known_colours)
{
    /* Bruce Lindbloom's calculator, sRGB, D65. */
    static const struct { uint8_t rgb[3]; double lab[3]; } known[] = {
        {{255, 255, 255}, {100, 0, 0}},
        {{0, 0, 0}, {0, 0, 0}},
        {{255, 0, 0}, {53.2408, 80.0925, 67.2032}},
        {{0, 255, 0}, {87.7347, -86.1827, 83.1793}},
        {{0, 0, 255}, {32.2970, 79.1875, -107.8602}},
        {{128, 128, 128}, {53.5850, 0, 0}},
    };
    lab l;

    lab_init(&l);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double out[3];
        lab_from_rgb(&l, known[i].rgb, out);
        for (int k = 0; k < 3; k++)
            cr_assert_float_eq(out[k], known[i].lab[k], 0.02, "colour %zu, %d: %g", i, k, out[k]);
    }
}

Test(lab, there_and_back_within_one_level)
{
    lab l;

    lab_init(&l);
    for (int r = 0; r < 256; r += 5)
        for (int g = 0; g < 256; g += 5)
            for (int b = 0; b < 256; b += 5) {
                uint8_t rgb[3] = {(uint8_t)r, (uint8_t)g, (uint8_t)b}, back[3];
                double x[3];
                lab_from_rgb(&l, rgb, x);
                lab_to_rgb(&l, x, back);
                for (int k = 0; k < 3; k++)
                    cr_assert_leq(abs(back[k] - rgb[k]), 1, "%d %d %d", r, g, b);
            }
}

/* The grey image of a photograph has its lightness: half a level of grey is at most 0.3 of L. */
Test(lab, gray_of_equal_lightness)
{
    lab l;

    lab_init(&l);
    for (int v = 0; v < 256; v++) {
        uint8_t rgb[3] = {(uint8_t)v, (uint8_t)v, (uint8_t)v};
        cr_assert_eq(lab_gray(&l, rgb), v);
    }
    for (int r = 0; r < 256; r += 15)
        for (int g = 0; g < 256; g += 15)
            for (int b = 0; b < 256; b += 15) {
                uint8_t rgb[3] = {(uint8_t)r, (uint8_t)g, (uint8_t)b};
                double x[3];
                lab_from_rgb(&l, rgb, x);
                cr_assert_float_eq(lab_lightness(&l, lab_gray(&l, rgb)), x[0], 0.3);
            }
}

/* The grid is what its comment says, counted over the faces of the cube of colours (the extremes of a and b lie there). */
Test(lab, the_grid)
{
    enum { STEP = 3 };
    static char near[27][27];
    lab l;
    int count = 0;

    lab_init(&l);
    for (int face = 0; face < 6; face++)
        for (int u = 0; u < 256; u += STEP)
            for (int v = 0; v < 256; v += STEP) {
                uint8_t rgb[3];
                double x[3];
                rgb[face % 3] = face < 3 ? 0 : 255;
                rgb[(face + 1) % 3] = (uint8_t)u;
                rgb[(face + 2) % 3] = (uint8_t)v;
                lab_from_rgb(&l, rgb, x);
                for (int i = 0; i < 27; i++)
                    for (int j = 0; j < 27; j++)
                        near[i][j] |= hypot(x[1] - 10 * (i - 13), x[2] - 10 * (j - 13)) < 13.4;
            }
    for (int i = 0; i < 27; i++)
        for (int j = 0; j < 27; j++)
            count += near[i][j];
    cr_assert_eq(count, LAB_BINS);
    for (int i = 0; i < LAB_BINS; i++) {
        int a, b;
        lab_bin(i, &a, &b);
        cr_assert(near[a / 10 + 13][b / 10 + 13], "%d %d", a, b);
        near[a / 10 + 13][b / 10 + 13] = 0; /* each once */
    }
}

Test(lab, soft_encoding)
{
    for (double a = -80; a < 90; a += 7.3)
        for (double b = -90; b < 90; b += 6.7) {
            int bin[LAB_NEAREST], ba, bb;
            double share[LAB_NEAREST], sum = 0, first = 0, last = -1, worst = 1e9;
            lab_encode(a, b, bin, share);
            for (int k = 0; k < LAB_NEAREST; k++) {
                lab_bin(bin[k], &ba, &bb);
                double d = hypot(a - ba, b - bb);
                cr_assert_geq(d, last);
                last = d;
                sum += share[k];
                for (int j = 0; j < k; j++)
                    cr_assert_neq(bin[k], bin[j]);
                if (k == 0)
                    first = d;
                cr_assert_float_eq(share[k] / share[0], exp((first * first - d * d) / 50), 1e-9);
            }
            cr_assert_float_eq(sum, 1, 1e-12);
            /* No point that was left out is nearer than the last one taken. */
            for (int i = 0; i < LAB_BINS; i++) {
                int taken = 0;
                for (int k = 0; k < LAB_NEAREST; k++)
                    taken |= bin[k] == i;
                lab_bin(i, &ba, &bb);
                if (!taken && hypot(a - ba, b - bb) < worst)
                    worst = hypot(a - ba, b - bb);
            }
            cr_assert_geq(worst, last - 1e-9);
        }
}
