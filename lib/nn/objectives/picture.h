/*
 * Answers as images for a person. Everything is 8-bit RGB, [H][W][3].
 */
#ifndef NN_OBJECTIVES_PICTURE_H
#define NN_OBJECTIVES_PICTURE_H

#include <stddef.h>
#include <stdint.h>

typedef enum picture_space {
    PICTURE_NONE,   /* nothing that can be drawn */
    PICTURE_RGB,    /* 3 channels, or 1 of grey, -1..1 */
    PICTURE_AB,     /* 2 channels of CIE Lab: -1..1 stand for a, b = -128..127 */
    PICTURE_AB_BINS /* the classes of base/lab.h */
} picture_space;

/* By the header's word, where the numbers of channels or classes fit; else PICTURE_NONE. */
picture_space picture_space_of(const char *name, int channels, int classes);

/* One plane a channel (C, pixels), -1..1 once multiplied by `scale`; C 1 or 3. */
void picture_rgb(const float *y, int C, size_t pixels, float scale, uint8_t *rgb);

/* The (a, b) of a colour whose bins have the logits y (bins, pixels) at pixel p: the annealed mean, T = 0.38 (Zhang et al. 2016). */
void picture_mean(const float *y, size_t pixels, size_t p, float ab[2]);

#endif
