#include "image/image.h"

#include <stdlib.h>
#include <string.h>

int image_shape(image *im, int h, int w, int c, err *e)
{
    size_t n = (size_t)h * (size_t)w * (size_t)c;

    if (n > im->cap) {
        uint8_t *p = malloc(n);
        if (!p)
            return err_nomem(e);
        free(im->p);
        im->p = p;
        im->cap = n;
    }
    im->h = h;
    im->w = w;
    im->c = c;
    return 0;
}

int image_copy(image *dst, const image *src, err *e)
{
    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    memcpy(dst->p, src->p, image_bytes(src));
    return 0;
}

void image_free(image *im)
{
    free(im->p);
    *im = (image){0};
}

int image_channels(image *im, int c, err *e)
{
    size_t n = (size_t)im->h * (size_t)im->w;

    if (im->c == c)
        return 0;
    if (c == 1) {
        for (size_t i = 0; i < n; i++)
            im->p[i] = image_luma(im->p + 3 * i);
        im->c = 1;
        return 0;
    }
    if (3 * n > im->cap) {
        uint8_t *p = realloc(im->p, 3 * n);
        if (!p)
            return err_nomem(e);
        im->p = p;
        im->cap = 3 * n;
    }
    for (size_t i = n; i-- > 0;)
        im->p[3 * i] = im->p[3 * i + 1] = im->p[3 * i + 2] = im->p[i];
    im->c = 3;
    return 0;
}

/*
 * Where output pixel (0, 0) comes from, and the step in the source for one
 * pixel to the right and one row down, for each EXIF orientation (TIFF 6.0,
 * tag 274: which corner of the stored image row 0 and column 0 are).
 */
int image_orient(image *im, int orientation, image *tmp, err *e)
{
    const int H = im->h, W = im->w, c = im->c;
    ptrdiff_t px = c, row = (ptrdiff_t)W * c;               /* one pixel, one row of the source */
    ptrdiff_t right = (W - 1) * px, bottom = (H - 1) * row; /* its last column, its last row */
    ptrdiff_t start, dx, dy;

    switch (orientation) {
    case 2: start = right;          dx = -px;  dy = row;  break; /* mirrored */
    case 3: start = bottom + right; dx = -px;  dy = -row; break; /* upside down */
    case 4: start = bottom;         dx = px;   dy = -row; break; /* flipped */
    case 5: start = 0;              dx = row;  dy = px;   break; /* transposed */
    case 6: start = bottom;         dx = -row; dy = px;   break; /* turn clockwise */
    case 7: start = bottom + right; dx = -row; dy = -px;  break; /* transposed on the other diagonal */
    case 8: start = right;          dx = row;  dy = -px;  break; /* turn anticlockwise */
    default:
        return 0;
    }
    int h = orientation < 5 ? H : W, w = orientation < 5 ? W : H;
    if (image_shape(tmp, h, w, c, e))
        return -1;
    uint8_t *d = tmp->p;
    for (int y = 0; y < h; y++) {
        ptrdiff_t at = start + y * dy;
        for (int x = 0; x < w; x++, at += dx)
            for (int k = 0; k < c; k++)
                *d++ = im->p[at + k];
    }
    image old = *im;
    *im = *tmp;
    *tmp = old;
    return 0;
}
