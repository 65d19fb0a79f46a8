#include "image/text.h"

#include <stdio.h>
#include <vips/vips.h>

/* A grey mask of the text in memory, its ink only; Xoffset and Yoffset say where that lies in the line. */
static VipsImage *render(const text_style *s, const char *utf8, err *e)
{
    VipsImage *lazy = NULL, *mask = NULL;
    char font[64];
    char *markup = g_markup_escape_text(utf8, -1);

    snprintf(font, sizeof font, "DejaVu Sans, sans-serif %s%d", s->bold ? "bold " : "", s->size);
    if (vips_text(&lazy, markup, "font", font, "dpi", 72, NULL) == 0)
        mask = vips_image_copy_memory(lazy);
    if (!mask) {
        err_set(e, ERR_RUN, "cannot draw text: %.200s", vips_error_buffer());
        vips_error_clear();
    } else {
        mask->Xoffset = lazy->Xoffset;
        mask->Yoffset = lazy->Yoffset;
    }
    if (lazy)
        g_object_unref(lazy);
    g_free(markup);
    return mask;
}

/* Drop `excess` characters and put an ellipsis in their place; in a new string. */
static char *shorten(const char *utf8, glong excess, text_cut cut)
{
    glong n = g_utf8_strlen(utf8, -1), keep = n - excess > 1 ? n - excess : 1;
    char *part, *whole;

    if (cut == TEXT_CUT_END) {
        part = g_utf8_substring(utf8, 0, keep);
        whole = g_strconcat(g_strchomp(part), "\xe2\x80\xa6", NULL);
        g_free(part);
    } else {
        whole = g_strconcat("\xe2\x80\xa6", g_utf8_offset_to_pointer(utf8, n - keep), NULL);
    }
    return whole;
}

/* Render, and cut until it fits. */
static VipsImage *fit(const text_style *s, const char *utf8, int width, text_cut cut, err *e)
{
    glong n = g_utf8_strlen(utf8, -1), excess = 0;
    VipsImage *mask = render(s, utf8, e);

    while (mask && mask->Xsize > width && excess < n - 1) {
        /* First by a guess from the mean width of a character, then one by one. */
        excess = excess ? excess + 1 : n - (glong)((double)n * width / mask->Xsize) + 1;
        char *t = shorten(utf8, excess, cut);
        g_object_unref(mask);
        mask = render(s, t, e);
        g_free(t);
    }
    return mask;
}

static void blend(image *im, int x, int y, const VipsImage *mask, const uint8_t rgb[3])
{
    for (int i = 0; i < mask->Ysize; i++)
        for (int j = 0; j < mask->Xsize; j++) {
            if (y + i < 0 || y + i >= im->h || x + j < 0 || x + j >= im->w)
                continue;
            int a = *VIPS_IMAGE_ADDR(mask, j, i);
            uint8_t *p = im->p + ((size_t)(y + i) * (size_t)im->w + (size_t)(x + j)) * 3;
            for (int c = 0; c < 3; c++)
                p[c] = (uint8_t)((p[c] * (255 - a) + rgb[c] * a + 127) / 255);
        }
}

int text_line_height(const text_style *s)
{
    return s->size + (s->size + 1) / 2;
}

int text_draw(image *im, int x, int y, int width, text_align align, text_cut cut, const text_style *s, const char *utf8,
              err *e)
{
    int rc = 0;

    if (!*utf8)
        return 0;
    if (VIPS_INIT("ssl-tools"))
        return err_set(e, ERR_RUN, "cannot start libvips");
    char *valid = g_utf8_make_valid(utf8, -1);
    VipsImage *mask = fit(s, valid, width, cut, e);

    g_free(valid);
    if (!mask)
        return -1;
    if (mask->BandFmt != VIPS_FORMAT_UCHAR || mask->Bands != 1)
        rc = err_set(e, ERR_RUN, "cannot draw text: libvips gave no mask");
    else
        blend(im, align == TEXT_CENTRE ? x + (width - mask->Xsize) / 2 : x + mask->Xoffset, y + mask->Yoffset, mask, s->rgb);
    g_object_unref(mask);
    return rc;
}
