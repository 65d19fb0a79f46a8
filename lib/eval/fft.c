#include "eval/fft.h"

#include <stdlib.h>
#include <string.h>

typedef double w8 __attribute__((vector_size(64), may_alias));

#define INLINE static inline __attribute__((always_inline))

/* ---- Plans ------------------------------------------------------------------------------- */

size_t fft_length(size_t n)
{
    for (;; n++) {
        size_t left = n;
        for (int r = 2; r <= 5; r++)
            while (left && left % (size_t)r == 0)
                left /= (size_t)r;
        if (left == 1)
            return n;
    }
}

#define PI 3.14159265358979323846

/* cos and sin of 2 pi t / n by their series, on the eighth of the circle that t is reduced to. */
static void turn(size_t t, size_t n, double *c, double *s)
{
    size_t eighth = 8 * t / n;
    /* The angle from the nearest quarter, in (-pi/4, pi/4]. */
    size_t quarter = (eighth + 1) / 2 % 4;
    double a = 2 * PI * ((double)(4 * t) - (double)((eighth + 1) / 2 * n)) / (double)(4 * n), square = a * a, term = 1;
    double even = 0, odd = 0;

    for (int k = 0; k < 22; k += 2) {
        even += term;
        odd += term * a / (k + 1);
        term *= -square / ((k + 1) * (k + 2));
    }
    *c = quarter == 0 ? even : quarter == 1 ? -odd : quarter == 2 ? -even : odd;
    *s = quarter == 0 ? odd : quarter == 1 ? even : quarter == 2 ? -odd : -even;
}

int fft_init(fft *f, size_t n, err *e)
{
    static const int radices[] = {4, 2, 3, 5};
    size_t left = n;

    *f = (fft){.n = n};
    for (int i = 0; i < 4; i++)
        for (; left % (size_t)radices[i] == 0 && left > 1; left /= (size_t)radices[i])
            f->radix[f->factors++] = radices[i];
    f->cosine = malloc(n * sizeof *f->cosine);
    f->sine = malloc(n * sizeof *f->sine);
    if (!f->cosine || !f->sine)
        return err_nomem(e);
    for (size_t t = 0; t < n; t++) {
        turn(t, n, &f->cosine[t], &f->sine[t]);
        f->sine[t] = -f->sine[t];
    }
    return 0;
}

void fft_clear(fft *f)
{
    free(f->cosine);
    free(f->sine);
    *f = (fft){0};
}

/* ---- Butterflies --------------------------------------------------------------------------- */

/* Store b times the k-th power of the twiddle factor. */
#define PUT(k, br, bi)                                                          \
    do {                                                                        \
        w8 tr_ = (br), ti_ = (bi);                                              \
        *(w8 *)(yr + (k) * step) = tr_ * wr[k] - ti_ * wi[k];                   \
        *(w8 *)(yi + (k) * step) = tr_ * wi[k] + ti_ * wr[k];                   \
    } while (0)

/* One butterfly: inputs x[j * far], outputs y[k * step], of eight sequences. */
INLINE void butterfly(int r, const double *xr, const double *xi, size_t far, double *yr, double *yi, size_t step, const double *wr,
                      const double *wi)
{
#define R(j) (*(const w8 *)(xr + (j) * far))
#define I(j) (*(const w8 *)(xi + (j) * far))
    if (r == 4) {
        w8 ar = R(0) + R(2), ai = I(0) + I(2), br = R(0) - R(2), bi = I(0) - I(2);
        w8 cr = R(1) + R(3), ci = I(1) + I(3), dr = R(1) - R(3), di = I(1) - I(3);
        PUT(0, ar + cr, ai + ci);
        PUT(1, br + di, bi - dr);
        PUT(2, ar - cr, ai - ci);
        PUT(3, br - di, bi + dr);
    } else if (r == 2) {
        w8 ar = R(0), ai = I(0), br = R(1), bi = I(1);
        PUT(0, ar + br, ai + bi);
        PUT(1, ar - br, ai - bi);
    } else if (r == 3) {
        const double h = 0.86602540378443864676;
        w8 sr = R(1) + R(2), si = I(1) + I(2), dr = (R(1) - R(2)) * h, di = (I(1) - I(2)) * h;
        w8 ar = R(0) - 0.5 * sr, ai = I(0) - 0.5 * si;
        PUT(0, R(0) + sr, I(0) + si);
        PUT(1, ar + di, ai - dr);
        PUT(2, ar - di, ai + dr);
    } else {
        const double c1 = 0.30901699437494742410, c2 = -0.80901699437494742410, s1 = 0.95105651629515357212, s2 = 0.58778525229247312917;
        w8 ar = R(1) + R(4), ai = I(1) + I(4), br = R(2) + R(3), bi = I(2) + I(3);
        w8 cr = R(1) - R(4), ci = I(1) - I(4), dr = R(2) - R(3), di = I(2) - I(3);
        w8 er = R(0) + c1 * ar + c2 * br, ei = I(0) + c1 * ai + c2 * bi, fr = R(0) + c2 * ar + c1 * br, fi = I(0) + c2 * ai + c1 * bi;
        w8 gr = s1 * cr + s2 * dr, gi = s1 * ci + s2 * di, hr = s2 * cr - s1 * dr, hi = s2 * ci - s1 * di;
        PUT(0, R(0) + ar + br, I(0) + ai + bi);
        PUT(1, er + gi, ei - gr);
        PUT(2, fr + hi, fi - hr);
        PUT(3, fr - hi, fi + hr);
        PUT(4, er - gi, ei + gr);
    }
#undef R
#undef I
}

/* One radix: n is what is left to split, `stride` the product of the radices before. */
INLINE void stage(const fft *f, int r, size_t n, size_t stride, const double *xr, const double *xi, double *yr, double *yi)
{
    size_t m = n / (size_t)r;

    for (size_t p = 0; p < m; p++) {
        double wr[5], wi[5];
        for (int k = 0; k < r; k++) {
            wr[k] = f->cosine[p * (size_t)k * stride];
            wi[k] = f->sine[p * (size_t)k * stride];
        }
        for (size_t q = 0; q < stride; q++) {
            size_t from = (q + stride * p) * FFT_LANES, to = (q + stride * (size_t)r * p) * FFT_LANES;
            butterfly(r, xr + from, xi + from, stride * m * FFT_LANES, yr + to, yi + to, stride * FFT_LANES, wr, wi);
        }
    }
}

INLINE void run(const fft *f, double *re, double *im, double *sr, double *si)
{
    double *xr = re, *xi = im, *yr = sr, *yi = si;
    size_t left = f->n, stride = 1;

    for (int i = 0; i < f->factors; i++) {
        int r = f->radix[i];
        switch (r) {
        case 4: stage(f, 4, left, stride, xr, xi, yr, yi); break;
        case 2: stage(f, 2, left, stride, xr, xi, yr, yi); break;
        case 3: stage(f, 3, left, stride, xr, xi, yr, yi); break;
        default: stage(f, 5, left, stride, xr, xi, yr, yi); break;
        }
        left /= (size_t)r;
        stride *= (size_t)r;
        double *t = xr;
        xr = yr;
        yr = t;
        t = xi;
        xi = yi;
        yi = t;
    }
    if (xr != re) {
        memcpy(re, xr, f->n * FFT_LANES * sizeof *re);
        memcpy(im, xi, f->n * FFT_LANES * sizeof *im);
    }
}

#ifdef __x86_64__

__attribute__((target("avx512f"))) static void run_avx512(const fft *f, double *re, double *im, double *sr, double *si)
{
    run(f, re, im, sr, si);
}

__attribute__((target("avx2"))) static void run_avx2(const fft *f, double *re, double *im, double *sr, double *si)
{
    run(f, re, im, sr, si);
}

#endif

void fft_run(const fft *f, double *re, double *im, double *scratch_re, double *scratch_im)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        run_avx512(f, re, im, scratch_re, scratch_im);
    else if (__builtin_cpu_supports("avx2"))
        run_avx2(f, re, im, scratch_re, scratch_im);
    else
#endif
        run(f, re, im, scratch_re, scratch_im);
}
