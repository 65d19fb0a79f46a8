#include "plot/page.h"

#include "base/format.h"
#include "image/encode.h"
#include "plot/layout.h"
#include "stream/value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NEIGHBOURS = 12, SIDE = 32, PER = 32, QUALITY = 82 };

static const uint8_t body[] = {
#include "page.html.inc"
};
static const uint8_t style[] = {
#include "page.css.inc"
};
static const uint8_t script[] = {
#include "page.js.inc"
};

typedef struct page {
    const plot_request *q;
    points p;
    layout l;
    bool images;
    uint32_t *order; /* the points along a Z curve: those that are seen together lie together */
    uint32_t *rank;  /* and back */
    float *xy;       /* [n][2] in 0..1, in that order */
} page;

/* ---- Order ------------------------------------------------------------------------------- */

typedef struct entry {
    uint64_t code;
    uint32_t row;
} entry;

static uint64_t apart(uint32_t v)
{
    uint64_t x = v & 0xffff;

    x = (x | x << 16) & 0x0000ffff0000ffff;
    x = (x | x << 8) & 0x00ff00ff00ff00ff;
    x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
    x = (x | x << 2) & 0x3333333333333333;
    return (x | x << 1) & 0x5555555555555555;
}

static int by_code(const void *a, const void *b)
{
    const entry *x = a, *y = b;

    return x->code != y->code ? (x->code < y->code ? -1 : 1) : x->row < y->row ? -1 : x->row > y->row;
}

static int sort_points(page *g, err *e)
{
    size_t n = g->p.n;
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    entry *v = malloc(n * sizeof *v);

    g->order = malloc(n * sizeof *g->order);
    g->rank = malloc(n * sizeof *g->rank);
    g->xy = malloc(2 * n * sizeof *g->xy);
    if (!v || !g->order || !g->rank || !g->xy) {
        free(v);
        return err_nomem(e);
    }
    for (size_t i = 0; i < 2 * n; i++) {
        low[i % 2] = fmin(low[i % 2], g->l.xy[i]);
        high[i % 2] = fmax(high[i % 2], g->l.xy[i]);
    }
    double span = fmax(fmax(high[0] - low[0], high[1] - low[1]), 1e-12), place[2];
    for (size_t i = 0; i < n; i++) {
        for (int a = 0; a < 2; a++)
            place[a] = 0.5 + (g->l.xy[2 * i + (size_t)a] - (low[a] + high[a]) / 2) / span;
        v[i] = (entry){apart((uint32_t)(place[0] * 65535)) | apart((uint32_t)(place[1] * 65535)) << 1, (uint32_t)i};
    }
    qsort(v, n, sizeof *v, by_code);
    for (size_t k = 0; k < n; k++) {
        size_t i = v[k].row;
        g->order[k] = (uint32_t)i;
        g->rank[i] = (uint32_t)k;
        for (size_t a = 0; a < 2; a++)
            g->xy[2 * k + a] = (float)(0.5 + (g->l.xy[2 * i + a] - (low[a] + high[a]) / 2) / span);
    }
    free(v);
    return 0;
}

/* ---- Data -------------------------------------------------------------------------------- */

static int put(buf *b, const char *s, err *e)
{
    return buf_add(b, s, strlen(s), e);
}

static int put_base64(buf *b, const char *id, const void *p, size_t n, err *e)
{
    return buf_addf(b, e, "<script type=\"text/plain\" id=\"%s\">", id) || svg_base64(p, n, b, e) || put(b, "</script>\n", e) ? -1 : 0;
}

/* JSON inside a script element: nothing in it may look like the element's end. */
static int put_json(buf *b, const value *v, err *e)
{
    buf json = {0};
    int rc = value_failed(v) ? err_nomem(e) : put(b, "<script type=\"application/json\" id=\"about-data\">", e);

    if (rc == 0)
        rc = value_json(v, -1, &json, e);
    for (size_t i = 0, from = 0; rc == 0 && i <= json.n; i++)
        if (i == json.n || json.p[i] == '<') {
            rc = buf_add(b, json.p + from, i - from, e) || (i < json.n && put(b, "\\u003c", e)) ? -1 : 0;
            from = i + 1;
        }
    buf_free(&json);
    return rc ? -1 : put(b, "</script>\n", e);
}

static int put_group(buf *b, const page *g, value *groups, const char *by, err *e)
{
    grouping x = {0};
    size_t n = g->p.n;
    int16_t *of = malloc(n * sizeof *of);
    char id[32];
    int rc = of ? grouping_make(&x, &g->p, by, e) : err_nomem(e);

    if (rc == 0 && x.n > INT16_MAX)
        rc = err_set(e, ERR_INPUT, "%d groups by %s; a page takes %d", x.n, by, INT16_MAX);
    if (rc == 0 && x.n > 0) {
        value *v = value_map(), *names = value_array(), *count = value_array();
        for (int i = 0; i < x.n; i++) {
            value_push(names, value_str(x.name[i]));
            value_push(count, value_int((int64_t)x.count[i]));
        }
        value_set(v, "by", value_str(by));
        value_set(v, "names", names);
        value_set(v, "count", count);
        value_push(groups, v);
        for (size_t k = 0; k < n; k++)
            of[k] = (int16_t)x.of[g->order[k]];
        snprintf(id, sizeof id, "group-%s", by);
        rc = put_base64(b, id, of, n * sizeof *of, e);
    }
    free(of);
    grouping_clear(&x);
    return rc;
}

static int put_neighbours(buf *b, const page *g, int k, err *e)
{
    size_t n = g->p.n, at = 0;
    uint32_t *near = malloc(n * (size_t)k * sizeof *near + 1);
    uint8_t *likeness = malloc(n * (size_t)k + 1);
    int rc = near && likeness ? 0 : err_nomem(e);

    for (size_t i = 0; rc == 0 && i < n; i++)
        for (int j = 0; j < k; j++, at++) {
            const knn_neighbour *v = &g->l.found[(size_t)g->order[i] * (size_t)g->l.k + (size_t)j];
            near[at] = g->rank[v->row];
            likeness[at] = (uint8_t)lround(100 + 100 * fmin(fmax((double)v->similarity, -1), 1));
        }
    if (rc == 0)
        rc = put_base64(b, "near-data", near, at * sizeof *near, e) || put_base64(b, "likeness", likeness, at, e) ? -1 : 0;
    free(near);
    free(likeness);
    return rc;
}

/* A thumbnail into its cell of a sheet of three channels. */
static void paste(const image *im, image *sheet, size_t cell, size_t side)
{
    size_t x = cell % PER * side, y = cell / PER * side;

    for (size_t i = 0; i < (size_t)im->h; i++)
        for (size_t j = 0; j < (size_t)im->w; j++)
            for (size_t c = 0; c < 3; c++)
                sheet->p[((y + i) * (size_t)sheet->w + x + j) * 3 + c] = im->p[(i * (size_t)im->w + j) * (size_t)im->c + (im->c == 3 ? c : 0)];
}

/* Sheets of PER x PER thumbnails, each a JPEG. */
static int put_sheets(buf *b, const page *g, int side, err *e)
{
    size_t n = g->p.n, of_sheet = PER * PER;
    uint8_t *sizes = malloc(2 * n);
    image sheet = {0};
    buf jpeg = {0};
    char id[32];
    int rc = sizes ? image_shape(&sheet, PER * side, PER * side, 3, e) : err_nomem(e);

    for (size_t k = 0; rc == 0 && k < n; k += of_sheet) {
        size_t have = n - k < of_sheet ? n - k : of_sheet;
        memset(sheet.p, 255, image_bytes(&sheet));
        sheet.h = (int)((have + PER - 1) / PER) * side;
        for (size_t i = 0; i < have; i++) {
            image im = points_image(&g->p, g->order[k + i]);
            paste(&im, &sheet, i, (size_t)side);
            sizes[2 * (k + i)] = (uint8_t)im.w;
            sizes[2 * (k + i) + 1] = (uint8_t)im.h;
        }
        jpeg.n = 0;
        snprintf(id, sizeof id, "sheet-%zu", k / of_sheet);
        rc = image_jpeg(&sheet, QUALITY, &jpeg, e) || put_base64(b, id, jpeg.p, jpeg.n, e) ? -1 : 0;
    }
    if (rc == 0)
        rc = put_base64(b, "sizes", sizes, 2 * n, e);
    free(sizes);
    image_free(&sheet);
    buf_free(&jpeg);
    return rc;
}

static value *keys(const page *g)
{
    value *v = value_array();

    for (size_t k = 0; k < g->p.n; k++)
        value_push(v, value_str(g->p.key[g->order[k]]));
    return v;
}

static int put_data(buf *b, const page *g, int k, int side, err *e)
{
    value *v = value_map(), *groups = value_array();
    char text[160], n[32];
    int rc = -1;

    if (g->l.tsne)
        snprintf(text, sizeof text, "t-SNE of %s embeddings of %d numbers. Near is similar; far says little.", format_commas((int64_t)g->p.n, n), g->p.dim);
    else
        snprintf(text, sizeof text, "Principal components of %s embeddings of %d numbers: %.1f %% of the variance across, %.1f %% up.",
                 format_commas((int64_t)g->p.n, n), g->p.dim, 100 * g->l.share[0], 100 * g->l.share[1]);
    value_set(v, "title", value_str(g->q->title ? g->q->title : "Map of embeddings"));
    value_set(v, "text", value_str(text));
    value_set(v, "neighbours", value_int(k));
    value_set(v, "side", value_int(side));
    value_set(v, "per", value_int(PER));
    value_set(v, "format", value_str("jpeg"));
    if (put_base64(b, "xy", g->xy, 2 * g->p.n * sizeof *g->xy, e))
        goto out;
    /* The one that was asked for comes first. */
    const char *first = g->q->colour ? g->q->colour : "class", *const all[] = {first, "class", "cluster", "split"};
    for (int i = 0; i < 4; i++) {
        const name_set *names = strcmp(all[i], "class") == 0 ? &g->p.classes : strcmp(all[i], "split") == 0 ? &g->p.splits : &g->p.clusters;
        if ((i == 0 && g->q->colour) || (i > 0 && (!g->q->colour || strcmp(all[i], first) != 0) && names->n > 0))
            if (put_group(b, g, groups, all[i], e))
                goto out;
    }
    value_set(v, "groups", groups);
    groups = NULL;
    value_set(v, "keys", keys(g));
    if ((k && put_neighbours(b, g, k, e)) || (g->images && put_sheets(b, g, side, e)) || put_json(b, v, e))
        goto out;
    rc = 0;
out:
    value_free(groups);
    value_free(v);
    return rc;
}

/* ---- The page ---------------------------------------------------------------------------- */

static int put_title(buf *b, const char *s, err *e)
{
    for (; *s; s++)
        if (*s == '<' || *s == '&' ? buf_addf(b, e, "&#%d;", *s) : buf_add(b, s, 1, e))
            return -1;
    return 0;
}

int page_make(const plot_request *q, buf *html, err *e)
{
    page g = {.q = q};
    int side = q->thumbnail_size ? (int)q->thumbnail_size : SIDE, wanted = q->neighbours ? (int)q->neighbours : NEIGHBOURS, rc = -1;

    if (points_read(&g.p, q, -side, e) || layout_make(&g.l, &g.p, q, wanted, e) || sort_points(&g, e))
        goto out;
    g.images = g.p.thumb;
    if (put(html, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>", e) ||
        put_title(html, q->title ? q->title : "Map of embeddings", e) ||
        put(html, "</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:\">\n"
                  "<link rel=\"icon\" href=\"data:,\">\n<style>\n", e) ||
        buf_add(html, style, sizeof style, e) || put(html, "</style>\n</head>\n<body>\n", e) || buf_add(html, body, sizeof body, e) ||
        put_data(html, &g, wanted < g.l.k ? wanted : g.l.k, side, e) || put(html, "<script>\n", e) ||
        buf_add(html, script, sizeof script, e) || put(html, "</script>\n</body>\n</html>\n", e))
        goto out;
    rc = 0;
out:
    points_clear(&g.p);
    layout_clear(&g.l);
    free(g.order);
    free(g.rank);
    free(g.xy);
    return rc;
}
