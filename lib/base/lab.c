#include "base/lab.h"

#include "base/fmath.h"

/* sRGB's primaries and white (D65): linear RGB to XYZ, each row divided by the white's X, Y, Z. */
static const double to_xyz[3][3] = {
    {0.4124564 / 0.9504700, 0.3575761 / 0.9504700, 0.1804375 / 0.9504700},
    {0.2126729, 0.7151522, 0.0721750},
    {0.0193339 / 1.0888300, 0.1191920 / 1.0888300, 0.9503041 / 1.0888300},
};
static const double from_xyz[3][3] = {
    {3.2404542 * 0.9504700, -1.5371385, -0.4985314 * 1.0888300},
    {-0.9692660 * 0.9504700, 1.8760108, 0.0415560 * 1.0888300},
    {0.0556434 * 0.9504700, -0.2040259, 1.0572252 * 1.0888300},
};

#define DELTA (6.0 / 29.0)

static double power(double x, double y)
{
    return x <= 0 ? 0 : fmath_exp(y * fmath_log(x));
}

static double cube_root(double x)
{
    return power(x, 1.0 / 3.0);
}

void lab_init(lab *l)
{
    for (int v = 0; v < 256; v++) {
        double s = v / 255.0, x = s <= 0.04045 ? s / 12.92 : power((s + 0.055) / 1.055, 2.4);
        l->linear[v] = (uint16_t)(x * 65535 + 0.5);
    }
}

static double f(double t)
{
    return t > DELTA * DELTA * DELTA ? cube_root(t) : t / (3 * DELTA * DELTA) + 4.0 / 29.0;
}

static double f_inverse(double t)
{
    return t > DELTA ? t * t * t : 3 * DELTA * DELTA * (t - 4.0 / 29.0);
}

void lab_from_rgb(const lab *l, const uint8_t rgb[3], double out[3])
{
    double c[3];

    for (int i = 0; i < 3; i++) {
        double t = 0;
        for (int k = 0; k < 3; k++)
            t += to_xyz[i][k] * l->linear[rgb[k]] / 65535;
        c[i] = f(t);
    }
    out[0] = 116 * c[1] - 16;
    out[1] = 500 * (c[0] - c[1]);
    out[2] = 200 * (c[1] - c[2]);
}

/* The level whose linear value is nearest to x, of white 65535. */
static uint8_t level(const lab *l, double x)
{
    int lo = 0, hi = 255;

    while (hi - lo > 1) {
        int mid = (lo + hi) / 2;
        if (l->linear[mid] <= x)
            lo = mid;
        else
            hi = mid;
    }
    return (uint8_t)(x - l->linear[lo] < l->linear[hi] - x ? lo : hi);
}

void lab_to_rgb(const lab *l, const double in[3], uint8_t rgb[3])
{
    double y = (in[0] + 16) / 116, xyz[3] = {f_inverse(y + in[1] / 500), f_inverse(y), f_inverse(y - in[2] / 200)};

    for (int i = 0; i < 3; i++) {
        double t = 0;
        for (int k = 0; k < 3; k++)
            t += from_xyz[i][k] * xyz[k];
        rgb[i] = level(l, t * 65535);
    }
}

uint8_t lab_gray(const lab *l, const uint8_t rgb[3])
{
    /* to_xyz[1] in 1/65536 */
    uint64_t y = 13938u * (uint64_t)l->linear[rgb[0]] + 46868u * (uint64_t)l->linear[rgb[1]] +
                 4730u * (uint64_t)l->linear[rgb[2]];

    return level(l, (double)y / 65536);
}

double lab_lightness(const lab *l, uint8_t gray)
{
    return 116 * f(l->linear[gray] / 65535.0) - 16;
}

/* ---- The grid -------------------------------------------------------------------- */

/*
 * Which points are in it: for each a, from -90 in steps of 10, the least and
 * the largest b. They are those within 13.4 of some colour of sRGB (the tests
 * find them again).
 */
static const struct {
    int8_t first, last; /* b / 10 */
} rows[] = {
    {5, 9}, {2, 9}, {0, 9}, {-2, 10}, {-3, 10}, {-4, 10}, {-4, 10}, {-5, 10}, {-6, 10}, {-7, 10}, {-8, 9},
    {-8, 9}, {-9, 9}, {-10, 8}, {-10, 8}, {-11, 8}, {-11, 8}, {-12, 8}, {-11, 7}, {-8, -1}, {-6, -6},
};
enum { ROWS = sizeof rows / sizeof *rows, FIRST_A = -9 };

void lab_bin(int i, int *a, int *b)
{
    int row = 0;

    while (row < ROWS - 1 && i > rows[row].last - rows[row].first) {
        i -= rows[row].last - rows[row].first + 1;
        row++;
    }
    *a = 10 * (FIRST_A + row);
    *b = 10 * (rows[row].first + i);
}

void lab_encode(double a, double b, int bin[LAB_NEAREST], double share[LAB_NEAREST])
{
    enum { SIGMA = 5 };
    double d[LAB_NEAREST], sum = 0;
    int n = 0, at = 0;

    for (int row = 0; row < ROWS; row++)
        for (int q = rows[row].first; q <= rows[row].last; q++, at++) {
            double da = a - 10 * (FIRST_A + row), db = b - 10 * q, far = da * da + db * db;
            int k = n < LAB_NEAREST ? n++ : LAB_NEAREST;
            /* An insertion into the list so far, which is in order. */
            while (k > 0 && d[k - 1] > far) {
                if (k < LAB_NEAREST) {
                    d[k] = d[k - 1];
                    bin[k] = bin[k - 1];
                }
                k--;
            }
            if (k < LAB_NEAREST) {
                d[k] = far;
                bin[k] = at;
            }
        }
    for (int k = 0; k < LAB_NEAREST; k++)
        sum += share[k] = fmath_exp((d[0] - d[k]) / (2 * SIGMA * SIGMA));
    for (int k = 0; k < LAB_NEAREST; k++)
        share[k] /= sum;
}

void lab_bins_mean(const int32_t *bin, const float *share, size_t n, float ab[2])
{
    double sum = 0, mean[2] = {0, 0};

    for (size_t k = 0; k < n; k++) {
        int a, b;
        if (bin[k] < 0 || bin[k] >= LAB_BINS)
            continue;
        lab_bin(bin[k], &a, &b);
        mean[0] += (double)share[k] * a;
        mean[1] += (double)share[k] * b;
        sum += share[k];
    }
    for (int i = 0; i < 2; i++)
        ab[i] = (float)(sum > 0 ? mean[i] / sum : 0);
}

/* ---- Painting ------------------------------------------------------------------- */

/* The value at pixel i of n when m values are stretched over them: between the two whose middles are nearest. */
static void between(int i, int n, int m, int *a, int *b, double *f)
{
    double at = (i + 0.5) * m / n - 0.5;

    *a = at < 0 ? 0 : (int)at;
    *b = *a + 1 < m ? *a + 1 : m - 1;
    *f = at < 0 ? 0 : at - *a;
}

static double bilinear(const float *plane, int h, int w, int i, int H, int j, int W)
{
    int y0, y1, x0, x1;
    double fy, fx;

    between(i, H, h, &y0, &y1, &fy);
    between(j, W, w, &x0, &x1, &fx);
    return (1 - fy) * ((1 - fx) * plane[y0 * w + x0] + fx * plane[y0 * w + x1]) +
           fy * ((1 - fx) * plane[y1 * w + x0] + fx * plane[y1 * w + x1]);
}

void lab_paint(const lab *l, const uint8_t *gray, int H, int W, const float *ab, int h, int w, uint8_t *rgb)
{
    for (int i = 0; i < H; i++)
        for (int j = 0; j < W; j++, rgb += 3) {
            double x[3] = {lab_lightness(l, *gray++), bilinear(ab, h, w, i, H, j, W), bilinear(ab + h * w, h, w, i, H, j, W)};
            lab_to_rgb(l, x, rgb);
        }
}
