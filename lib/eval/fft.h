/*
 * Fast Fourier transforms of eight complex sequences at a time, by Stockham's
 * autosort algorithm with the radices 4, 2, 3 and 5 (Van Loan, "Computational
 * Frameworks for the Fast Fourier Transform", 1992, section 1.7).
 *
 * Sums are made in a fixed order without fused multiply-add, and sines and
 * cosines are this module's own: the same bits with SSE2, AVX2 and AVX-512.
 */
#ifndef EVAL_FFT_H
#define EVAL_FFT_H

#include "base/err.h"

#include <stddef.h>

#define FFT_LANES 8

typedef struct fft {
    size_t n;
    int factors, radix[64];
    double *cosine, *sine; /* [n], of -2 pi t / n; owned */
} fft;

/* The smallest length of the form 4^a 2^b 3^c 5^d that is not below n. */
size_t fft_length(size_t n);

/* n is a fft_length(). fft_clear() also after a failure. */
int fft_init(fft *f, size_t n, err *e);
void fft_clear(fft *f);

/*
 * re, im: [n][8], 64-byte aligned; X[k] = sum over t of x[t] exp(-2 pi i k t / n) in place, with as much scratch.
 * The inverse, without its factor 1/n, is the same with re and im exchanged.
 */
void fft_run(const fft *f, double *re, double *im, double *scratch_re, double *scratch_im);

#endif
