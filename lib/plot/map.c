/*
 * A map of embeddings: each a point, or its image, where PCA or t-SNE puts it.
 * Groups differ by colour and shape, and are named where they are densest.
 */
#include "base/format.h"
#include "base/rng.h"
#include "plot/layout.h"
#include "plot/look.h"
#include "plot/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN = 20, LAYERS = 12, GRID = 28, NAMED_GROUPS = 40, MAX_LEGEND = 60, THUMBNAIL = 32 };

#define DOTS_BELOW 1.3 /* radius in pixels: smaller points have no shape */
#define NO_GROUP "#c3c9cf"

typedef struct chart {
    const plot_request *q;
    points p;
    layout l;
    grouping g;
    double x0, y0, w, h, r; /* the map on the page, and a point's radius */
    double low[2], scale;
} chart;

/* Groups beyond the tenth get other pairs of colour and shape. */
static int marker_of(int g)
{
    return (g + 3 * (g / 10)) % LOOK_MARKERS;
}

static void place(const chart *c, size_t i, double *x, double *y)
{
    *x = c->x0 + (c->l.xy[2 * i] - c->low[0]) * c->scale;
    *y = c->y0 + c->h - (c->l.xy[2 * i + 1] - c->low[1]) * c->scale;
}

/* The map as wide as the page, or as high as it is wide, with room at the edges. */
static void fit(chart *c, double top, double room)
{
    double high[2] = {-INFINITY, -INFINITY};

    c->low[0] = c->low[1] = INFINITY;
    for (size_t i = 0; i < 2 * c->p.n; i++) {
        c->low[i % 2] = fmin(c->low[i % 2], c->l.xy[i]);
        high[i % 2] = fmax(high[i % 2], c->l.xy[i]);
    }
    double dx = fmax(high[0] - c->low[0], 1e-9), dy = fmax(high[1] - c->low[1], 1e-9);
    c->w = c->q->width - 2.0 * MARGIN;
    double inner = c->w - 2 * room;
    c->scale = fmin(inner / dx, inner / dy);
    c->h = fmax(dy * c->scale + 2 * room, c->w * 0.4);
    c->low[0] -= (c->w / c->scale - dx) / 2;
    c->low[1] -= (c->h / c->scale - dy) / 2;
    c->x0 = MARGIN;
    c->y0 = top;
}

/* ---- Points ------------------------------------------------------------------------------ */

static const char *colour_of(const chart *c, int g)
{
    return g < 0 ? NO_GROUP : look_colour(g, c->g.n);
}

/* The points of one layer and one group as one path, which is a fifth of the size of as many elements. */
static void draw_path(const chart *c, svg *s, const uint8_t *layer, int which, int g)
{
    bool dots = c->r < DOTS_BELOW, open = false;
    int marker = g < 0 ? 0 : marker_of(g);

    for (size_t i = 0; i < c->p.n; i++) {
        double x, y;
        if (layer[i] != which || c->g.of[i] != g)
            continue;
        if (!open)
            svg_add(s, "<path d=\"");
        open = true;
        place(c, i, &x, &y);
        if (dots)
            svg_add(s, "M%.1f %.1fh0", x, y);
        else
            look_marker(s, marker, x, y, c->r);
    }
    if (!open)
        return;
    if (dots)
        svg_add(s, "\" stroke=\"%s\" stroke-width=\"%.2f\" stroke-linecap=\"round\"/>\n", colour_of(c, g), 2 * c->r);
    else if (look_is_outline(marker))
        svg_add(s, "\" fill=\"none\" stroke=\"%s\" stroke-width=\"%.2f\"/>\n", colour_of(c, g), c->r * 0.5);
    else
        svg_add(s, "\" fill=\"%s\" fill-opacity=\"0.9\"/>\n", colour_of(c, g));
}

/* Layer over layer, so that no group lies on top of another. */
static int draw_points(const chart *c, svg *s, err *e)
{
    uint8_t *layer = malloc(c->p.n);
    uint64_t start = rng_mix_str((uint64_t)c->q->seed, "layers");

    if (!layer)
        return err_nomem(e);
    for (size_t i = 0; i < c->p.n; i++)
        layer[i] = (uint8_t)(rng_mix(start, i) % LAYERS);
    for (int k = 0; k < LAYERS; k++)
        for (int g = -1; g < c->g.n; g++)
            draw_path(c, s, layer, k, g);
    free(layer);
    return 0;
}

/* ---- Thumbnails -------------------------------------------------------------------------- */

/* Of each cell of a grid the image that is nearest to its middle, there. */
static int draw_thumbnails(const chart *c, svg *s, err *e)
{
    double side = c->q->thumbnail_size ? (double)c->q->thumbnail_size : THUMBNAIL, gap = 3;
    size_t across = (size_t)(c->w / (side + gap)), down = (size_t)(c->h / (side + gap));
    double cw = c->w / (double)across, ch = c->h / (double)down;
    int64_t *best = malloc(across * down * sizeof *best);
    double *distance = malloc(across * down * sizeof *distance);

    if (!best || !distance) {
        free(best);
        free(distance);
        return err_nomem(e);
    }
    for (size_t i = 0; i < across * down; i++) {
        best[i] = -1;
        distance[i] = INFINITY;
    }
    for (size_t i = 0; i < c->p.n; i++) {
        double x, y;
        place(c, i, &x, &y);
        size_t a = (size_t)fmin(fmax((x - c->x0) / cw, 0), (double)across - 1), b = (size_t)fmin(fmax((y - c->y0) / ch, 0), (double)down - 1);
        double d = hypot(x - c->x0 - ((double)a + 0.5) * cw, y - c->y0 - ((double)b + 0.5) * ch);
        if (d < distance[b * across + a]) {
            distance[b * across + a] = d;
            best[b * across + a] = (int64_t)i;
        }
    }
    for (size_t k = 0; k < across * down; k++) {
        if (best[k] < 0)
            continue;
        image im = points_image(&c->p, (size_t)best[k]);
        double scale = side / (im.h > im.w ? im.h : im.w), w = im.w * scale, h = im.h * scale;
        double x = c->x0 + ((double)(k % across) + 0.5) * cw - w / 2, y = c->y0 + ((double)(k / across) + 0.5) * ch - h / 2;
        svg_image(s, x, y, w, h, &im);
        svg_add(s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", x, y, w, h,
                colour_of(c, c->g.of[best[k]]));
    }
    free(best);
    free(distance);
    return 0;
}

/* ---- Names ------------------------------------------------------------------------------- */

/* Where a group is densest: the mean of its points in the fullest 3 x 3 cells of a coarse grid. */
static void densest(const chart *c, int g, double *x, double *y)
{
    static const double part = GRID;
    int count[GRID + 2][GRID + 2] = {{0}}, best = -1, bi = 1, bj = 1, n = 0;
    double cell = fmax(c->w, c->h) / part, sx = 0, sy = 0;

    for (size_t i = 0; i < c->p.n; i++)
        if (c->g.of[i] == g) {
            place(c, i, x, y);
            count[1 + (int)fmin((*y - c->y0) / cell, GRID - 1)][1 + (int)fmin((*x - c->x0) / cell, GRID - 1)]++;
        }
    for (int i = 1; i <= GRID; i++)
        for (int j = 1; j <= GRID; j++) {
            int sum = 4 * count[i][j];
            for (int a = -1; a <= 1; a++)
                for (int b = -1; b <= 1; b++)
                    sum += count[i + a][j + b];
            if (sum > best) {
                best = sum;
                bi = i;
                bj = j;
            }
        }
    for (size_t i = 0; i < c->p.n; i++)
        if (c->g.of[i] == g) {
            place(c, i, x, y);
            int a = 1 + (int)fmin((*y - c->y0) / cell, GRID - 1), b = 1 + (int)fmin((*x - c->x0) / cell, GRID - 1);
            if (abs(a - bi) <= 1 && abs(b - bj) <= 1) {
                sx += *x;
                sy += *y;
                n++;
            }
        }
    *x = n ? sx / n : 0;
    *y = n ? sy / n : 0;
}

static void draw_names(const chart *c, svg *s)
{
    double *at = calloc(2 * (size_t)c->g.n + 1, sizeof *at);
    const font name = {.size = 13, .bold = true, .anchor = 'm', .halo = true};

    for (int g = 0; at && g < c->g.n; g++) {
        double x, y, half = svg_text_width(c->g.name[g], name.size, true) / 2;
        densest(c, g, &x, &y);
        x = fmin(fmax(x, c->x0 + half + 2), c->x0 + c->w - half - 2);
        for (int tries = 0, o = 0; o < g && tries < 40; o++) /* below a name that is in the way */
            if (c->g.count[o] && fabs(at[2 * o + 1] - y) < 15 && fabs(at[2 * o] - x) < half + svg_text_width(c->g.name[o], name.size, true) / 2) {
                y = at[2 * o + 1] + 16;
                o = -1;
                tries++;
            }
        at[2 * g] = x;
        at[2 * g + 1] = y;
        if (c->g.count[g])
            svg_text(s, x, y + 4, &name, c->g.name[g]);
    }
    free(at);
}

static double legend(const chart *c, svg *s, double y)
{
    const font name = {.size = 12};
    double x = MARGIN;

    if (c->g.n == 0 || c->g.n > MAX_LEGEND)
        return y;
    for (int g = 0; g < c->g.n; g++) {
        double w = 18 + svg_text_width(c->g.name[g], name.size, false);
        if (x > MARGIN && x + w > s->w - MARGIN) {
            x = MARGIN;
            y += 20;
        }
        if (c->q->thumbnails)
            svg_add(s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"10\" height=\"10\" fill=\"none\" stroke=\"%s\" stroke-width=\"2.5\"/>\n", x, y + 3,
                    colour_of(c, g));
        else
            look_point(s, c->r < DOTS_BELOW ? 0 : marker_of(g), x + 6, y + 8, 4.6, colour_of(c, g));
        svg_text_within(s, x + 16, y + 12, s->w - MARGIN - x - 16, &name, c->g.name[g]);
        x += w + 14;
    }
    return y + 28;
}

static void caption(const chart *c, svg *s, double y)
{
    char text[256], n[32];

    if (c->l.tsne)
        snprintf(text, sizeof text, "t-SNE of %s embeddings of %d numbers; near is similar, far says little", format_commas((int64_t)c->p.n, n), c->p.dim);
    else
        snprintf(text, sizeof text, "%s embeddings of %d numbers along their principal components: across %.1f %% of the variance, up %.1f %%",
                 format_commas((int64_t)c->p.n, n), c->p.dim, 100 * c->l.share[0], 100 * c->l.share[1]);
    svg_text_within(s, MARGIN, y, s->w - 2 * MARGIN, &(font){.size = 11, .fill = GREY}, text);
}

static int draw(const plot_request *q, svg *s, double *height, err *e)
{
    chart c = {.q = q};
    double side = q->thumbnail_size ? (double)q->thumbnail_size : THUMBNAIL;
    int rc = -1;

    if (points_read(&c.p, q, q->thumbnails ? (int)(2 * side) : 0, e) || grouping_make(&c.g, &c.p, q->colour, e) ||
        layout_make(&c.l, &c.p, q, 0, e))
        goto out;
    c.r = fmin(fmax(0.31 * ((double)q->width - 2 * MARGIN) / sqrt((double)c.p.n), 0.8), 5);
    double top = legend(&c, s, plot_title(s, q->title, MARGIN));
    fit(&c, top, q->thumbnails ? side / 2 : 12);
    svg_add(s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" stroke=\"" RULE "\"/>\n", c.x0, c.y0, c.w, c.h);
    rc = q->thumbnails ? draw_thumbnails(&c, s, e) : draw_points(&c, s, e);
    if (rc == 0 && c.g.n <= NAMED_GROUPS && !q->thumbnails)
        draw_names(&c, s);
    caption(&c, s, c.y0 + c.h + 18);
    *height = c.y0 + c.h + 30;
out:
    points_clear(&c.p);
    layout_clear(&c.l);
    grouping_clear(&c.g);
    return rc;
}

/* A text in a table: what would break the line is percent-escaped, as ssl-probe does it. */
static int put_text(buf *b, const char *s, err *e)
{
    for (; *s; s++)
        if ((unsigned char)*s < 32 || *s == 127 || *s == '%' ? buf_addf(b, e, "%%%02X", (unsigned char)*s) : buf_add(b, s, 1, e))
            return -1;
    return 0;
}

/* Where each point lies: for other programs' pictures, and for awk. */
static int table(const plot_request *q, buf *b, err *e)
{
    points p = {0};
    layout l = {0};
    int rc = points_read(&p, q, 0, e) || layout_make(&l, &p, q, 0, e) || buf_addf(b, e, "key\tsplit\tclass\tx\ty\n") ? -1 : 0;

    for (size_t i = 0; rc == 0 && i < p.n; i++)
        if (put_text(b, p.key[i], e) || buf_addf(b, e, "\t") || put_text(b, p.split[i] < 0 ? "" : p.splits.v[p.split[i]], e) ||
            buf_addf(b, e, "\t") || put_text(b, p.class_of[i] < 0 ? "" : p.classes.v[p.class_of[i]], e) ||
            buf_addf(b, e, "\t%.6g\t%.6g\n", l.xy[2 * i], l.xy[2 * i + 1]))
            rc = -1;
    points_clear(&p);
    layout_clear(&l);
    return rc;
}

const plot_kind plot_map = {"map", "embeddings, with images or without", "t-SNE or PCA, by class; as HTML a page to wander in", draw, page_make, table};
