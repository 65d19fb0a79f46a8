/* One line of text on an RGB image, by libvips (Pango). */
#ifndef IMAGE_TEXT_H
#define IMAGE_TEXT_H

#include "image/image.h"

#include <stdbool.h>

typedef struct text_style {
    int size; /* of the letters, in pixels */
    bool bold;
    uint8_t rgb[3];
} text_style;

typedef enum text_cut { TEXT_CUT_END, TEXT_CUT_FRONT } text_cut; /* where an ellipsis goes when it does not fit */
typedef enum text_align { TEXT_LEFT, TEXT_CENTRE } text_align;

/* The height of a line, descenders and leading included. */
int text_line_height(const text_style *s);

/*
 * Draw into the box that begins at (x, y) and is `width` wide; what leaves the
 * image is clipped. 0, or -1 when text cannot be drawn on this machine (a
 * libvips without Pango, no fonts) or memory is out.
 */
int text_draw(image *im, int x, int y, int width, text_align align, text_cut cut, const text_style *s, const char *utf8,
              err *e);

#endif
