/*
 * Image files to 8-bit RGB or grey pixels: every format that libvips reads,
 * JPEG (baseline and progressive) straight through libjpeg-turbo.
 *
 *  - EXIF orientation is applied;
 *  - CMYK becomes sRGB through the image's ICC profile (or libvips' default
 *    one); the profile of an RGB or grey image is not applied, as in Pillow;
 *  - 16-bit and floating samples become 8-bit, palettes are expanded;
 *  - what is transparent shows the background;
 *  - of an animation or a document, the first picture.
 *
 * A truncated or damaged file is an error (ERR_INPUT), never half a picture.
 * The size is checked before any pixel is decoded.
 */
#ifndef IMAGE_DECODE_H
#define IMAGE_DECODE_H

#include "image/image.h"

#include <stdint.h>

#define DECODE_MAX_PIXELS (INT64_C(1) << 28)

enum decode_fit {
    DECODE_STRETCH, /* the whole image, its aspect ratio lost */
    DECODE_CROP     /* its largest centred square */
};

typedef struct decode_opts {
    int channels;          /* of the result: 1 or 3 */
    int size;              /* > 0: the result is size x size (antialiased bilinear) */
    enum decode_fit fit;   /* what of the image `size` takes */
    int shrink;            /* > 0: a JPEG may be decoded smaller, its short side no smaller than this */
    uint8_t background[3]; /* RGB, shown behind transparent pixels */
    int64_t max_pixels;    /* per image; 0: DECODE_MAX_PIXELS */
} decode_opts;

/* Belongs to one thread at a time. */
typedef struct decoder decoder;

/* o is copied. NULL on failure. */
decoder *decoder_new(const decode_opts *o, err *e);
void decoder_free(decoder *d);

/*
 * Decode n bytes into out. path (or NULL) names the same bytes on disk, for
 * formats that libvips reads only from files. Messages do not name the image.
 *
 * When a much smaller `size` is asked for, a JPEG is decoded at 1/2, 1/4 or 1/8
 * first, no smaller than twice the result: the margin that libvips' thumbnailer
 * and Pillow's (reducing_gap = 2) keep too.
 */
int decoder_run(decoder *d, const uint8_t *p, size_t n, const char *path, image *out, err *e);

/* The same for pixels that are in memory already: (h, w, c), c 1 or 3. */
int decoder_pixels(decoder *d, const uint8_t *p, int h, int w, int c, image *out, err *e);

#endif
