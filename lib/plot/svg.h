/*
 * An SVG drawing under construction: a page of white paper, measured in CSS
 * pixels from its upper left corner. Failures stick and are reported by
 * svg_end(), so calls need no checks.
 */
#ifndef PLOT_SVG_H
#define PLOT_SVG_H

#include "base/buf.h"
#include "image/image.h"

#include <stdbool.h>

/* Colours of text and lines: black, what stands back, and the grid. */
#define INK "#1f2328"
#define GREY "#59636e"
#define RULE "#d9dee3"

typedef struct svg {
    buf b; /* the file; owned */
    double w, h;
    err e; /* the first failure */
} svg;

typedef struct font {
    double size; /* in pixels */
    const char *fill;
    bool bold;
    char anchor; /* 's'tart, 'm'iddle or 'e'nd of the text is at x */
    double turn; /* degrees, clockwise */
    bool halo;   /* a white outline, for text that lies on a picture */
} font;

/* w: pixels. The height may be set until svg_end(). svg_clear() when done. */
void svg_begin(svg *s, double w);
/* The whole file into s->b. 0 or -1. */
int svg_end(svg *s, double h, const char *title, err *e);
void svg_clear(svg *s);

/* Elements, as text that is SVG already. */
void svg_add(svg *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Any UTF-8; its base line is at y. */
void svg_text(svg *s, double x, double y, const font *f, const char *utf8);
/* The same, with an ellipsis at its end where it would be wider than `width`. */
void svg_text_within(svg *s, double x, double y, double width, const font *f, const char *utf8);
void svg_line(svg *s, double x0, double y0, double x1, double y1, const char *stroke, double width);
/* Pixels, as a PNG inside the file, enlarged pixel by pixel. */
void svg_image(svg *s, double x, double y, double w, double h, const image *im);

/* About how wide a text is, on the safe side: by the widths of DejaVu Sans, the widest of the fonts in question. */
double svg_text_width(const char *utf8, double size, bool bold);

/* Bytes as base64 (RFC 4648), appended. */
int svg_base64(const void *p, size_t n, buf *out, err *e);

#endif
