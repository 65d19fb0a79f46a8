#include "plot/svg.h"

#include "base/utf8.h"
#include "image/encode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char FONTS[] = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

void svg_begin(svg *s, double w)
{
    *s = (svg){.w = w};
}

void svg_clear(svg *s)
{
    buf_free(&s->b);
    *s = (svg){0};
}

void svg_add(svg *s, const char *fmt, ...)
{
    char small[512];
    va_list ap;

    if (s->e.kind != ERR_NONE)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < (int)sizeof small) {
        buf_add(&s->b, small, (size_t)n, &s->e);
        return;
    }
    if (buf_reserve(&s->b, (size_t)n + 1, &s->e))
        return;
    va_start(ap, fmt);
    vsnprintf((char *)s->b.p + s->b.n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    s->b.n += (size_t)n;
}

/* Text that XML allows: its five characters are escaped, other bytes than UTF-8 and controls become a mark. */
static void escaped(svg *s, const char *t)
{
    size_t left = strlen(t);

    while (left) {
        size_t n = utf8_length(t, left);
        if (n == 0 || (n == 1 && ((unsigned char)*t < 32 || *t == 127)))
            svg_add(s, "\xef\xbf\xbd");
        else if (*t == '<' || *t == '>' || *t == '&' || *t == '"' || *t == '\'')
            svg_add(s, "&#%d;", *t);
        else
            svg_add(s, "%.*s", (int)n, t);
        n = n ? n : 1;
        t += n;
        left -= n;
    }
}

int svg_end(svg *s, double h, const char *title, err *e)
{
    svg head = {0};

    s->h = h;
    svg_add(s, "</svg>\n");
    svg_add(&head, "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"%g\" height=\"%g\" "
            "viewBox=\"0 0 %g %g\" font-family=\"%s\" role=\"img\">\n<title>", s->w, h, s->w, h, FONTS);
    escaped(&head, title ? title : "");
    svg_add(&head, "</title>\n<rect width=\"%g\" height=\"%g\" fill=\"#fff\"/>\n", s->w, h);
    if (s->e.kind == ERR_NONE)
        buf_add(&head.b, s->b.p, s->b.n, &head.e);
    if (s->e.kind == ERR_NONE)
        s->e = head.e;
    buf_free(&s->b);
    s->b = head.b;
    if (s->e.kind == ERR_NONE)
        return 0;
    *e = s->e;
    return -1;
}

void svg_text(svg *s, double x, double y, const font *f, const char *utf8)
{
    if (!*utf8)
        return;
    svg_add(s, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%g\" fill=\"%s\"", x, y, f->size, f->fill ? f->fill : INK);
    if (f->bold)
        svg_add(s, " font-weight=\"bold\"");
    if (f->anchor == 'm' || f->anchor == 'e')
        svg_add(s, " text-anchor=\"%s\"", f->anchor == 'm' ? "middle" : "end");
    if (f->turn != 0)
        svg_add(s, " transform=\"rotate(%g %.1f %.1f)\"", f->turn, x, y);
    if (f->halo)
        svg_add(s, " stroke=\"#fff\" stroke-width=\"%g\" stroke-linejoin=\"round\" paint-order=\"stroke\"", f->size / 4);
    svg_add(s, ">");
    escaped(s, utf8);
    svg_add(s, "</text>\n");
}

/* Hundredths of the size, of the characters from space to tilde in DejaVu Sans. */
static const unsigned char WIDTHS[95] = {
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 53,
    100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50,
    50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
};

static double character_width(const char *t)
{
    unsigned char c = (unsigned char)*t;

    return c >= 32 && c < 127 ? WIDTHS[c - 32] / 100.0 : c >= 0xe3 ? 1.0 : 0.7; /* East Asian characters are square */
}

double svg_text_width(const char *utf8, double size, bool bold)
{
    double w = 0;
    size_t left = strlen(utf8);

    while (left) {
        size_t n = utf8_length(utf8, left);
        w += character_width(utf8);
        n = n ? n : 1;
        utf8 += n;
        left -= n;
    }
    return w * size * (bold ? 1.1 : 1);
}

void svg_text_within(svg *s, double x, double y, double width, const font *f, const char *utf8)
{
    double room = width - f->size * 0.9, w = 0;
    size_t left = strlen(utf8), keep = 0;
    buf cut = {0};

    if (svg_text_width(utf8, f->size, f->bold) <= width + 0.5) {
        svg_text(s, x, y, f, utf8);
        return;
    }
    while (left) {
        size_t n = utf8_length(utf8 + keep, left);
        w += character_width(utf8 + keep) * f->size * (f->bold ? 1.1 : 1);
        if (w > room)
            break;
        n = n ? n : 1;
        keep += n;
        left -= n;
    }
    if (s->e.kind == ERR_NONE && buf_addf(&cut, &s->e, "%.*s\xe2\x80\xa6", (int)keep, utf8) == 0 && buf_add(&cut, "", 1, &s->e) == 0)
        svg_text(s, x, y, f, (char *)cut.p);
    buf_free(&cut);
}

void svg_line(svg *s, double x0, double y0, double x1, double y1, const char *stroke, double width)
{
    svg_add(s, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"%s\" stroke-width=\"%g\"/>\n", x0, y0, x1, y1, stroke, width);
}

int svg_base64(const void *p, size_t n, buf *out, err *e)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *b = p;

    if (buf_reserve(out, (n + 2) / 3 * 4, e))
        return -1;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)b[i] << 16 | (i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0);
        uint8_t *q = out->p + out->n;
        q[0] = (uint8_t)digit[v >> 18];
        q[1] = (uint8_t)digit[v >> 12 & 63];
        q[2] = i + 1 < n ? (uint8_t)digit[v >> 6 & 63] : '=';
        q[3] = i + 2 < n ? (uint8_t)digit[v & 63] : '=';
        out->n += 4;
    }
    return 0;
}

void svg_image(svg *s, double x, double y, double w, double h, const image *im)
{
    buf png = {0};

    if (s->e.kind == ERR_NONE && image_png(im, &png, &s->e) == 0) {
        svg_add(s, "<image x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" image-rendering=\"%s\" xlink:href=\"data:image/png;base64,", x, y,
                w, h, w >= 2 * im->w ? "optimizeSpeed\" style=\"image-rendering:pixelated" : "auto");
        if (s->e.kind == ERR_NONE)
            svg_base64(png.p, png.n, &s->b, &s->e);
        svg_add(s, "\"/>\n");
    }
    buf_free(&png);
}
