/*
 * Colour adjustments as torchvision does them on PIL images, to the byte:
 * ImageEnhance.Brightness, Contrast and Color, convert("L"), and the hue shift
 * in 8-bit HSV. Each takes n pixels of c channels; dst may be src. On grey
 * images (c = 1) saturation, hue and grey change nothing.
 */
#ifndef AUGMENT_COLOUR_H
#define AUGMENT_COLOUR_H

#include <stddef.h>
#include <stdint.h>

/* Pillow's Image.blend() of n bytes: from a (factor 0) to b (factor 1) and beyond, truncated and clipped. dst may be a or b. */
void colour_blend(uint8_t *dst, const uint8_t *a, const uint8_t *b, size_t n, float factor);
/* factor 0: black; 1: unchanged. */
void colour_brightness(uint8_t *dst, const uint8_t *src, size_t n, int c, float factor);
/* factor 0: the mean luma everywhere; 1: unchanged. */
void colour_contrast(uint8_t *dst, const uint8_t *src, size_t n, int c, float factor);
/* factor 0: grey; 1: unchanged. */
void colour_saturation(uint8_t *dst, const uint8_t *src, size_t n, int c, float factor);
/* factor -0.5..0.5 of the whole circle. */
void colour_hue(uint8_t *dst, const uint8_t *src, size_t n, int c, double factor);
/* The luma in every channel. */
void colour_gray(uint8_t *dst, const uint8_t *src, size_t n, int c);

#endif
