/* Resampling against the textbook formula in double precision. */
#include "base/rng.h"
#include "image/resize.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static image noise(int w, int h, int c, uint64_t seed)
{
    image im = {0};
    rng r = rng_at(seed);
    err e;

    cr_assert(image_shape(&im, h, w, c, &e) == 0);
    for (size_t i = 0; i < image_bytes(&im); i++)
        im.p[i] = (uint8_t)rng_u64(&r);
    return im;
}

static double kernel(enum resample f, double x)
{
    x = fabs(x);
    switch (f) {
    case RESAMPLE_BOX: return x <= 0.5;
    case RESAMPLE_BILINEAR: return x < 1 ? 1 - x : 0;
    case RESAMPLE_BICUBIC: return x < 1 ? 1.5 * x * x * x - 2.5 * x * x + 1 : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0;
    case RESAMPLE_LANCZOS: return x == 0 ? 1 : x < 3 ? 3 * sin(M_PI * x) * sin(M_PI * x / 3) / (M_PI * M_PI * x * x) : 0;
    case RESAMPLE_NEAREST: break;
    }
    return 0;
}

/* One axis: n_in values, `step` apart, of which [from, from + length) become n_out. */
static void axis(const double *in, int n_in, size_t step, double from, double length, double *out, int n_out, size_t out_step, enum resample f)
{
    double scale = length / n_out, wide = scale < 1 ? 1 : scale;

    for (int i = 0; i < n_out; i++) {
        double centre = from + (i + 0.5) * scale, sum = 0, v = 0;
        for (int j = 0; j < n_in; j++) {
            double w = kernel(f, (j + 0.5 - centre) / wide);
            sum += w;
            v += w * in[(size_t)j * step];
        }
        v = rint(v / sum);
        out[(size_t)i * out_step] = v < 0 ? 0 : v > 255 ? 255 : v;
    }
}

static int worst(const image *src, double x, double y, double w, double h, int W, int H, enum resample f)
{
    size_t c = (size_t)src->c, n = image_bytes(src);
    double *in = malloc(n * sizeof *in), *mid = malloc((size_t)W * (size_t)src->h * c * sizeof *mid);
    double *out = malloc((size_t)W * (size_t)H * c * sizeof *out), most = 0;
    image dst = {0};
    err e;

    for (size_t i = 0; i < n; i++)
        in[i] = src->p[i];
    for (size_t j = 0; j < (size_t)src->h * c; j++)
        axis(in + j / c * (size_t)src->w * c + j % c, src->w, c, x, w, mid + j / c * (size_t)W * c + j % c, W, c, f);
    for (size_t i = 0; i < (size_t)W * c; i++)
        axis(mid + i, src->h, (size_t)W * c, y, h, out + i, H, (size_t)W * c, f);
    cr_assert(image_resize(src, x, y, w, h, W, H, f, &dst, &e) == 0);
    cr_assert(dst.w == W && dst.h == H && dst.c == src->c);
    for (size_t i = 0; i < image_bytes(&dst); i++)
        most = fmax(most, fabs(out[i] - dst.p[i]));
    free(in);
    free(mid);
    free(out);
    image_free(&dst);
    return (int)most;
}

Test(resize, is_the_textbook_formula)
{
    static const int sizes[][4] = {{7, 5, 3, 9}, {1, 1, 4, 3}, {32, 32, 32, 17}, {33, 20, 20, 20}, {50, 3, 5, 3}, {3, 50, 1, 1}, {40, 9, 9, 40}};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int c = 1; c <= 3; c += 2)
            for (enum resample f = RESAMPLE_BOX; f <= RESAMPLE_LANCZOS; f++) {
                if (f == RESAMPLE_BOX && sizes[i][0] % sizes[i][2])
                    continue; /* at the edge of a box, rounding decides */
                image im = noise(sizes[i][0], sizes[i][1], c, i + 1);
                int d = worst(&im, 0, 0, im.w, im.h, sizes[i][2], sizes[i][3], f);
                cr_assert_leq(d, 1, "%d x %d to %d x %d, filter %d: %d off", im.w, im.h, sizes[i][2], sizes[i][3], f, d);
                image_free(&im);
            }
}

Test(resize, boxes_may_be_fractional)
{
    image im = noise(40, 30, 3, 9);

    for (enum resample f = RESAMPLE_BILINEAR; f <= RESAMPLE_LANCZOS; f++) {
        cr_assert_leq(worst(&im, 2.25, 3.5, 30.125, 20.75, 16, 24, f), 1);
        cr_assert_leq(worst(&im, 5, 0, 10, 30, 16, 30, f), 1);
    }
    image_free(&im);
}

Test(resize, a_crop_does_not_see_beyond_its_box)
{
    image im = noise(40, 30, 3, 10), a = {0}, b = {0};
    err e;

    cr_assert(image_crop_resize(&im, 10, 5, 12, 13, 20, 20, RESAMPLE_BICUBIC, &a, &e) == 0);
    for (int y = 0; y < im.h; y++)
        for (int x = 0; x < im.w; x++)
            if (x < 10 || x >= 22 || y < 5 || y >= 18)
                for (int k = 0; k < 3; k++)
                    im.p[(y * im.w + x) * 3 + k] ^= 0xff;
    cr_assert(image_crop_resize(&im, 10, 5, 12, 13, 20, 20, RESAMPLE_BICUBIC, &b, &e) == 0);
    cr_assert_arr_eq(a.p, b.p, image_bytes(&a));
    image_free(&im);
    image_free(&a);
    image_free(&b);
}

Test(resize, the_same_size_is_a_copy)
{
    for (enum resample f = RESAMPLE_NEAREST; f <= RESAMPLE_LANCZOS; f++) {
        image im = noise(19, 11, 3, 11), out = {0};
        err e;
        cr_assert(image_resize(&im, 0, 0, 19, 11, 19, 11, f, &out, &e) == 0);
        cr_assert_arr_eq(im.p, out.p, image_bytes(&im));
        image_free(&im);
        image_free(&out);
    }
}

Test(resize, nearest_takes_pixel_centres)
{
    image im = noise(6, 4, 1, 12), out = {0};
    err e;

    cr_assert(image_resize(&im, 0, 0, 6, 4, 3, 8, RESAMPLE_NEAREST, &out, &e) == 0);
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 3; x++)
            cr_assert_eq(out.p[y * 3 + x], im.p[y / 2 * 6 + 2 * x + 1]);
    image_free(&im);
    image_free(&out);
}

Test(resize, refuses_what_it_cannot_do)
{
    image im = noise(6, 4, 1, 13), out = {0};
    err e;

    cr_assert(image_resize(&im, 0, 0, 7, 4, 3, 3, RESAMPLE_BILINEAR, &out, &e) == -1);
    cr_assert_eq(e.kind, ERR_INPUT);
    cr_assert(image_resize(&im, 0, 0, 0, 4, 3, 3, RESAMPLE_BILINEAR, &out, &e) == -1);
    cr_assert(image_resize(&im, 0, 0, 6, 4, 0, 3, RESAMPLE_BILINEAR, &out, &e) == -1);
    cr_assert(image_resize(&im, 0, 0, 6, 4, 65535, 65535, RESAMPLE_BILINEAR, &out, &e) == -1);
    cr_assert(image_crop_resize(&im, 2, 0, 5, 4, 3, 3, RESAMPLE_BILINEAR, &out, &e) == -1);
    image_free(&im);
    image_free(&out);
}

Test(resize, short_side)
{
    int w, h;

    image_short_side(640, 480, 256, &w, &h);
    cr_assert(w == 341 && h == 256);
    image_short_side(3, 1000, 2, &w, &h);
    cr_assert(w == 2 && h == 666);
    image_short_side(5, 5, 9, &w, &h);
    cr_assert(w == 9 && h == 9);
}
