/*
 * CIE Lab (D65, 2 degrees) of sRGB colours (IEC 61966-2-1), in floating point:
 * L 0..100, a and b about -110..110. The same numbers on every machine: only
 * additions, multiplications, divisions and square roots of doubles, and fmath.
 *
 * And the grid on which colours are predicted (Zhang, Isola and Efros,
 * "Colorful Image Colorization", ECCV 2016): points of the (a, b) plane, 10
 * apart, that lie in or near the colours of sRGB: 313, as many as the paper's.
 */
#ifndef BASE_LAB_H
#define BASE_LAB_H

#include <stddef.h>
#include <stdint.h>

enum { LAB_BINS = 313, LAB_NEAREST = 10 };

typedef struct lab {
    uint16_t linear[256]; /* of each sRGB level, 65535 is white */
} lab;

void lab_init(lab *l);

void lab_from_rgb(const lab *l, const uint8_t rgb[3], double out[3]);
/* The nearest sRGB colour, each channel clipped. From lab_from_rgb() back: within 1 level. */
void lab_to_rgb(const lab *l, const double in[3], uint8_t rgb[3]);

/* The grey level of the same luminance, and so, but for its rounding, of the same L; and the L of a grey level. */
uint8_t lab_gray(const lab *l, const uint8_t rgb[3]);
double lab_lightness(const lab *l, uint8_t gray);

/* The i-th point of the grid. */
void lab_bin(int i, int *a, int *b);

/*
 * The soft encoding of a colour: its LAB_NEAREST nearest points of the grid,
 * the nearest first, with shares after a Gaussian of deviation 5; they sum to 1.
 */
void lab_encode(double a, double b, int bin[LAB_NEAREST], double share[LAB_NEAREST]);

/* The mean colour of n bins by their shares (0, 0 where these are 0; bins that are none do not count). */
void lab_bins_mean(const int32_t *bin, const float *share, size_t n, float ab[2]);

/* A grey image [H][W] in the colours ab, planes [2][h][w] that are enlarged bilinearly, as rgb [H][W][3]. */
void lab_paint(const lab *l, const uint8_t *gray, int H, int W, const float *ab, int h, int w, uint8_t *rgb);

#endif
