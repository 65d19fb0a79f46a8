#include "image/encode.h"

#include <stdbool.h>
#include <vips/vips.h>

/* A libvips image of `im`'s own pixels, or NULL. */
static VipsImage *wrap(const image *im, err *e)
{
    if (VIPS_INIT("ssl-tools")) {
        err_set(e, ERR_RUN, "cannot start libvips");
        return NULL;
    }
    VipsImage *v = vips_image_new_from_memory(im->p, image_bytes(im), im->w, im->h, im->c, VIPS_FORMAT_UCHAR);
    if (!v)
        err_nomem(e);
    return v;
}

/* The n bytes at p, which libvips made of v as a `what` unless it `failed`, go to the end of out. */
static int finish(VipsImage *v, bool failed, const char *what, void *p, size_t n, buf *out, err *e)
{
    int rc = -1;

    if (failed) {
        err_set(e, ERR_RUN, "cannot make the %s: %.200s", what, vips_error_buffer());
        vips_error_clear();
    } else {
        rc = buf_add(out, p, n, e);
    }
    g_free(p);
    g_object_unref(v);
    return rc;
}

int image_png(const image *im, buf *out, err *e)
{
    void *p = NULL;
    size_t n = 0;
    VipsImage *v = wrap(im, e);

    if (!v)
        return -1;
    bool failed = vips_pngsave_buffer(v, &p, &n, NULL) != 0;
    return finish(v, failed, "PNG", p, n, out, e);
}

int image_jpeg(const image *im, int quality, buf *out, err *e)
{
    void *p = NULL;
    size_t n = 0;
    VipsImage *v = wrap(im, e);

    if (!v)
        return -1;
    v->Type = im->c == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
    bool failed = vips_jpegsave_buffer(v, &p, &n, "Q", quality, "strip", TRUE, "optimize_coding", TRUE, NULL) != 0;
    return finish(v, failed, "JPEG", p, n, out, e);
}
