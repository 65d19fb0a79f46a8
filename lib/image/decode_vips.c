#include "image/decode_impl.h"

#include <ctype.h>
#include <pthread.h>
#include <string.h>

#include <vips/vips.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int started; /* written once, under `once`: libvips itself is a process-wide thing */

static void ignore_log(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer arg)
{
    (void)domain, (void)level, (void)message, (void)arg;
}

static void start(void)
{
    /* A library that prints would speak into our messages. */
    g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_MESSAGE, ignore_log, NULL);
    if (vips_init("ssl-tools"))
        return;
    vips_cache_set_max(0); /* every image is seen once */
    vips_concurrency_set(1); /* the callers are the threads */
    started = 1;
}

/*
 * Not in libvips' own words: its log is shared by all threads, so what another
 * one found wrong at the same time would get into this message.
 */
static int fail(const uint8_t *p, size_t n, const char *path, err *e)
{
    static const char before[] = "VipsForeignLoad"; /* VipsForeignLoadPngSource */
    VipsSource *source = vips_source_new_from_memory(p, n);
    const char *name = source ? vips_foreign_find_load_source(source) : NULL;

    if (!name && path)
        name = vips_foreign_find_load(path);
    if (source)
        g_object_unref(source);
    if (!name)
        return err_set(e, ERR_INPUT, "no image format that is known");
    if (strncmp(name, before, sizeof before - 1) == 0)
        name += sizeof before - 1;
    size_t len = 1;
    while (islower((unsigned char)name[len]) || isdigit((unsigned char)name[len]))
        len++;
    return err_set(e, ERR_INPUT, "the image is damaged or truncated (%c%.*s)", tolower((unsigned char)*name), (int)len - 1, name + 1);
}

/* Replace *im by what an operation made of it. */
static int step(VipsImage **im, VipsImage *next, int rc)
{
    if (rc)
        return -1;
    g_object_unref(*im);
    *im = next;
    return 0;
}

static VipsImage *open_image(const uint8_t *p, size_t n, const char *path)
{
    VipsImage *im = NULL;
    VipsSource *source = vips_source_new_from_memory(p, n);

    if (source) {
        im = vips_image_new_from_source(source, "", "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
        g_object_unref(source);
    }
    if (!im && path) {
        vips_error_clear();
        im = vips_image_new_from_file(path, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
    }
    return im;
}

/* A profile that is not sRGB's; one that cannot be used is no reason to refuse the image. */
static void to_srgb(VipsImage **im)
{
    VipsImage *t = NULL;
    const void *profile;
    size_t n;

    if (!vips_image_get_typeof(*im, VIPS_META_ICC_NAME) || vips_image_get_blob(*im, VIPS_META_ICC_NAME, &profile, &n) ||
        icc_is_srgb(profile, n) || vips_icc_transform(*im, &t, "srgb", "embedded", TRUE, "depth", 8, NULL))
        return;
    g_object_unref(*im);
    *im = t;
}

/* To 8-bit grey or sRGB, alpha still behind it. */
static int to_8bit(VipsImage **im)
{
    VipsImage *t = NULL;
    VipsInterpretation is = vips_image_guess_interpretation(*im);

    if (is == VIPS_INTERPRETATION_CMYK) {
        if (step(im, t, vips_icc_transform(*im, &t, "srgb", "embedded", TRUE, "input_profile", "cmyk", NULL)))
            return -1;
    } else {
        to_srgb(im);
        is = vips_image_guess_interpretation(*im);
        bool grey = is == VIPS_INTERPRETATION_B_W || is == VIPS_INTERPRETATION_GREY16 || (*im)->Bands < 3;
        VipsInterpretation to = grey ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
        if (is == VIPS_INTERPRETATION_MULTIBAND) /* channels of no declared meaning: take them as they are */
            (*im)->Type = to;
        else if (is != to && step(im, t, vips_colourspace(*im, &t, to, NULL)))
            return -1;
    }
    if ((*im)->BandFmt != VIPS_FORMAT_UCHAR && step(im, t, vips_cast_uchar(*im, &t, NULL)))
        return -1;
    return 0;
}

static int to_opaque(const decode_opts *o, VipsImage **im)
{
    VipsImage *t = NULL;
    int colours = (*im)->Bands < 3 ? 1 : 3;

    if (vips_image_hasalpha(*im)) {
        double bg[3] = {o->background[0], o->background[1], o->background[2]};
        if (colours == 1)
            bg[0] = image_luma(o->background);
        VipsArrayDouble *a = vips_array_double_new(bg, colours);
        int rc = step(im, t, vips_flatten(*im, &t, "background", a, NULL));
        vips_area_unref(VIPS_AREA(a));
        if (rc)
            return -1;
    }
    if ((*im)->Bands > colours && step(im, t, vips_extract_band(*im, &t, 0, "n", colours, NULL)))
        return -1;
    return 0;
}

int vips_decode(const decode_opts *o, const uint8_t *p, size_t n, const char *path, image *out, int *orientation, err *e)
{
    int rc = -1;
    void *pixels = NULL;
    size_t bytes;

    pthread_once(&once, start);
    if (!started)
        return err_set(e, ERR_RUN, "cannot start libvips");

    VipsImage *im = open_image(p, n, path);
    if (!im) {
        fail(p, n, path, e);
        goto out;
    }
    if (decode_check_size(o, im->Xsize, im->Ysize, e))
        goto out;
    *orientation = vips_image_get_orientation(im);
    if (to_8bit(&im) || to_opaque(o, &im) || !(pixels = vips_image_write_to_memory(im, &bytes))) {
        fail(p, n, path, e);
        goto out;
    }
    if (image_shape(out, im->Ysize, im->Xsize, im->Bands, e))
        goto out;
    memcpy(out->p, pixels, bytes);
    rc = 0;
out:
    vips_error_clear();
    g_free(pixels);
    if (im)
        g_object_unref(im);
    return rc;
}
