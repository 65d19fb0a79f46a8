#include "image/svg.h"

#include <vips/vips.h>

int svg_png(const void *svg, size_t n, double scale, buf *out, err *e)
{
    VipsImage *drawn = NULL, *flat = NULL;
    void *p = NULL;
    size_t size = 0;
    int rc = -1;

    if (VIPS_INIT("ssl-tools"))
        return err_set(e, ERR_RUN, "cannot start libvips");
    if (!vips_type_find("VipsOperation", "svgload_buffer"))
        return err_set(e, ERR_RUN, "this libvips was built without librsvg and cannot draw a PNG from SVG; write SVG");
    /* Without `unlimited` librsvg refuses texts of more than 10 MB, which a map of thumbnails is. */
    if (vips_svgload_buffer((void *)(uintptr_t)svg, n, &drawn, "scale", scale, "unlimited", TRUE, NULL) ||
        vips_flatten(drawn, &flat, "background", vips_array_double_newv(1, 255.0), NULL) ||
        vips_pngsave_buffer(flat, &p, &size, "strip", TRUE, NULL)) {
        err_set(e, ERR_RUN, "cannot draw the PNG: %.200s", vips_error_buffer());
        vips_error_clear();
    } else {
        rc = buf_add(out, p, size, e);
    }
    g_free(p);
    if (flat)
        g_object_unref(flat);
    if (drawn)
        g_object_unref(drawn);
    return rc;
}
