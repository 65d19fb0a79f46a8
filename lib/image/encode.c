#include "image/encode.h"

#include <vips/vips.h>

int image_png(const image *im, buf *out, err *e)
{
    void *p = NULL;
    size_t n = 0;
    int rc = -1;
    VipsImage *v = NULL;

    if (VIPS_INIT("ssl-tools"))
        return err_set(e, ERR_RUN, "cannot start libvips");
    v = vips_image_new_from_memory(im->p, image_bytes(im), im->w, im->h, im->c, VIPS_FORMAT_UCHAR);
    if (!v || vips_pngsave_buffer(v, &p, &n, NULL)) {
        err_set(e, ERR_RUN, "cannot make the PNG: %.200s", vips_error_buffer());
        vips_error_clear();
    } else {
        rc = buf_add(out, p, n, e);
    }
    g_free(p);
    if (v)
        g_object_unref(v);
    return rc;
}

int image_jpeg(const image *im, int quality, buf *out, err *e)
{
    void *p = NULL;
    size_t n = 0;
    int rc = -1;
    VipsImage *v = NULL;

    if (VIPS_INIT("ssl-tools"))
        return err_set(e, ERR_RUN, "cannot start libvips");
    v = vips_image_new_from_memory(im->p, image_bytes(im), im->w, im->h, im->c, VIPS_FORMAT_UCHAR);
    if (v)
        v->Type = im->c == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
    if (!v || vips_jpegsave_buffer(v, &p, &n, "Q", quality, "strip", TRUE, "optimize_coding", TRUE, NULL)) {
        err_set(e, ERR_RUN, "cannot make the JPEG: %.200s", vips_error_buffer());
        vips_error_clear();
    } else {
        rc = buf_add(out, p, n, e);
    }
    g_free(p);
    if (v)
        g_object_unref(v);
    return rc;
}
