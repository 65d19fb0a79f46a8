#include "image/decode.h"

#include "image/decode_impl.h"
#include "image/resize.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct decoder {
    decode_opts o;
    jpeg *j;
    image tmp;
};

decoder *decoder_new(const decode_opts *o, err *e)
{
    decoder *d = calloc(1, sizeof *d);

    if (!d) {
        err_nomem(e);
        return NULL;
    }
    d->o = *o;
    if (d->o.max_pixels <= 0)
        d->o.max_pixels = DECODE_MAX_PIXELS;
    d->j = jpeg_new(e);
    if (!d->j) {
        decoder_free(d);
        return NULL;
    }
    return d;
}

void decoder_free(decoder *d)
{
    if (!d)
        return;
    jpeg_free(d->j);
    image_free(&d->tmp);
    free(d);
}

int decode_check_size(const decode_opts *o, int64_t w, int64_t h, err *e)
{
    if (w <= 0 || h <= 0 || w > INT_MAX || h > INT_MAX)
        return err_set(e, ERR_INPUT, "no image is %lld x %lld pixels", (long long)w, (long long)h);
    if (w > o->max_pixels / h)
        return err_set(e, ERR_INPUT, "%lld x %lld pixels are more than the limit of %lld", (long long)w, (long long)h,
                       (long long)o->max_pixels);
    return 0;
}

/* To the channels and the size asked for. */
static int finish(decoder *d, image *im, err *e)
{
    const int size = d->o.size;

    if (image_channels(im, d->o.channels, e))
        return -1;
    if (size <= 0 || (im->h == size && im->w == size))
        return 0;

    int side = im->h < im->w ? im->h : im->w;
    bool crop = d->o.fit == DECODE_CROP;
    double w = crop ? side : im->w, h = crop ? side : im->h;
    if (image_resize(im, (im->w - w) / 2, (im->h - h) / 2, w, h, size, size, RESAMPLE_BILINEAR, &d->tmp, e))
        return -1;
    image old = *im;
    *im = d->tmp;
    d->tmp = old;
    return 0;
}

int decoder_run(decoder *d, const uint8_t *p, size_t n, const char *path, image *out, err *e)
{
    int orientation = 1, rc = 0;

    if (n == 0)
        return err_set(e, ERR_INPUT, "the file is empty");
    if (jpeg_is(p, n))
        rc = jpeg_decode(d->j, &d->o, p, n, out, &orientation, e);
    if (rc == 0)
        rc = vips_decode(&d->o, p, n, path, out, &orientation, e);
    if (rc < 0 || image_orient(out, orientation, &d->tmp, e))
        return -1;
    return finish(d, out, e);
}

int decoder_pixels(decoder *d, const uint8_t *p, int h, int w, int c, image *out, err *e)
{
    if (decode_check_size(&d->o, w, h, e) || image_shape(out, h, w, c, e))
        return -1;
    memcpy(out->p, p, image_bytes(out));
    return finish(d, out, e);
}
