/*
 * Images and their nearest neighbours by cosine similarity: the quickest look
 * at what an encoder has learnt. A row a query, the query at the left.
 */
#include "base/format.h"
#include "base/rng.h"
#include "plot/look.h"
#include "plot/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN = 20, GAP = 8, CAPTION = 17, QUERY_GAP = 22, SIDE = 224, QUERIES = 8, NEIGHBOURS = 8 };

typedef struct sheet {
    const plot_request *q;
    points p;
    uint32_t *query, *among; /* rows */
    size_t queries, n_among;
    int k;
    knn_neighbour *found;    /* [queries][k] */
} sheet;

/* ---- Who is asked, and among whom -------------------------------------------------------- */

static bool in_split(const points *p, size_t i, const char *split)
{
    return !split || (p->split[i] >= 0 && strcmp(p->splits.v[p->split[i]], split) == 0);
}

typedef struct candidate {
    uint64_t hash;
    uint32_t row, round; /* its number within its class, by hash */
    int32_t class_of;
} candidate;

static int by_class(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    return x->class_of != y->class_of ? (x->class_of < y->class_of ? -1 : 1) : x->hash != y->hash ? (x->hash < y->hash ? -1 : 1) : 0;
}

static int by_round(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    return x->round != y->round ? (x->round < y->round ? -1 : 1) : x->class_of != y->class_of ? (x->class_of < y->class_of ? -1 : 1) : 0;
}

/* Queries are drawn by their keys' hashes, one of each class before a second one of any. */
static int choose_queries(sheet *t, const char *split, err *e)
{
    points *p = &t->p;
    candidate *c = malloc(p->n * sizeof *c);
    uint64_t start = rng_mix_str((uint64_t)t->q->seed, "queries");
    size_t n = 0;

    t->query = malloc(p->n * sizeof *t->query);
    if (!c || !t->query) {
        free(c);
        return err_nomem(e);
    }
    for (size_t i = 0; i < p->n; i++)
        if (in_split(p, i, split))
            c[n++] = (candidate){rng_mix_bytes(start, p->key[i], strlen(p->key[i])), (uint32_t)i, 0, p->class_of[i]};
    qsort(c, n, sizeof *c, by_class);
    for (size_t i = 1; i < n; i++)
        c[i].round = c[i].class_of == c[i - 1].class_of ? c[i - 1].round + 1 : 0;
    qsort(c, n, sizeof *c, by_round);
    t->queries = n < (size_t)t->q->queries ? n : (size_t)t->q->queries;
    for (size_t i = 0; i < t->queries; i++)
        t->query[i] = c[i].row;
    free(c);
    return n ? 0 : err_set(e, ERR_INPUT, "no sample is of the split '%s'", split);
}

static int named_queries(sheet *t, err *e)
{
    t->query = malloc((size_t)t->q->keys.n * sizeof *t->query);
    if (!t->query)
        return err_nomem(e);
    for (int k = 0; k < t->q->keys.n; k++) {
        size_t i = 0;
        while (i < t->p.n && strcmp(t->p.key[i], t->q->keys.v[k]) != 0)
            i++;
        if (i == t->p.n)
            return err_set(e, ERR_INPUT, "no sample has the key '%s'", t->q->keys.v[k]);
        t->query[t->queries++] = (uint32_t)i;
    }
    return 0;
}

static int search(sheet *t, err *e)
{
    const points *p = &t->p;
    const char *of = t->q->query_split, *among = t->q->among_split;
    bool both = names_find(&p->splits, "test", 4) >= 0 && names_find(&p->splits, "train", 5) >= 0;

    /* As a probe does it: test images are looked up among training images. */
    if (!of && both && !t->q->keys.n)
        of = "test";
    if (!among && both)
        among = "train";
    if (t->q->keys.n ? named_queries(t, e) : choose_queries(t, of, e))
        return -1;
    t->among = malloc(p->n * sizeof *t->among);
    if (!t->among)
        return err_nomem(e);
    for (size_t i = 0; i < p->n; i++)
        if (in_split(p, i, among))
            t->among[t->n_among++] = (uint32_t)i;
    if (t->n_among < 2)
        return err_set(e, ERR_INPUT, "there is nothing to look for neighbours among%s%s", among ? ": the split is " : "", among ? among : "");
    t->k = (size_t)t->q->neighbours < t->n_among ? (int)t->q->neighbours : (int)t->n_among - 1;
    t->found = calloc(t->queries * (size_t)t->k, sizeof *t->found);
    if (!t->found)
        return err_nomem(e);
    return points_neighbours(p, (rows){t->among, t->n_among}, (rows){t->query, t->queries}, t->k, (int)t->q->threads, t->found, e);
}

/* ---- Drawing ----------------------------------------------------------------------------- */

static const char *class_of(const points *p, size_t i)
{
    return p->class_of[i] >= 0 ? p->classes.v[p->class_of[i]] : "";
}

/* An image in a square, with a frame: heavy for a query, dashed for a neighbour of another class. */
static void put_image(const points *p, svg *s, size_t i, double x, double y, double side, const char *frame)
{
    image im = points_image(p, i);
    double scale = side / (im.h > im.w ? im.h : im.w), w = im.w * scale, h = im.h * scale;

    svg_image(s, x + (side - w) / 2, y + (side - h) / 2, w, h, &im);
    svg_add(s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" %s/>\n", x, y, side, side, frame);
}

/* A caption, smaller where it would be cut otherwise. */
static void caption(svg *s, double x, double y, double room, font f, const char *text)
{
    double wide = svg_text_width(text, f.size, f.bold);

    if (wide > room)
        f.size = fmax(8, floor(2 * f.size * room / wide) / 2);
    svg_text_within(s, x, y, room, &f, text);
}

static void draw_row(const sheet *t, svg *s, size_t row, double y, double side, bool labelled, int64_t *same)
{
    const points *p = &t->p;
    size_t query = t->query[row];
    double x = MARGIN;
    char text[64];

    put_image(p, s, query, x, y, side, "stroke=\"" INK "\" stroke-width=\"2.5\"");
    caption(s, x, y + side + 14, side, (font){.size = 11.5, .bold = true}, labelled ? class_of(p, query) : p->key[query]);
    x += side + QUERY_GAP;
    svg_add(s, "<path d=\"M%.1f %.1fl5 5l-5 5\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.6\"/>\n", x - QUERY_GAP / 2.0 - 2, y + side / 2 - 5, GREY);
    for (int j = 0; j < t->k; j++, x += side + GAP) {
        const knn_neighbour *v = &t->found[row * (size_t)t->k + (size_t)j];
        bool known = labelled && p->class_of[query] >= 0, other = known && p->class_of[v->row] != p->class_of[query];
        *same += known && !other;
        put_image(p, s, v->row, x, y, side, other ? "stroke=\"#d1242f\" stroke-width=\"2\" stroke-dasharray=\"5 3\"" : "stroke=\"" RULE "\"");
        snprintf(text, sizeof text, "%.2f", (double)v->similarity);
        double number = side > 56 ? svg_text_width(text, 10, false) : 0;
        caption(s, x, y + side + 14, side - number - 4, (font){.size = 11, .bold = other, .fill = other ? "#b31d28" : INK},
                labelled ? class_of(p, v->row) : p->key[v->row]);
        if (number > 0)
            svg_text(s, x + side, y + side + 14, &(font){.size = 10, .fill = GREY, .anchor = 'e'}, text);
    }
}

static void draw_sheet(const sheet *t, svg *s, double *height)
{
    double y = plot_title(s, t->q->title, MARGIN) + 18, side = (s->w - 2 * MARGIN - QUERY_GAP - (t->k - 1) * GAP) / (t->k + 1);
    bool labelled = t->p.classes.n > 0;
    int64_t same = 0;
    char text[200], number[32];

    side = fmin(side, 160);
    svg_text(s, MARGIN, y - 7, &(font){.size = 12, .fill = GREY}, "query");
    svg_text(s, MARGIN + side + QUERY_GAP, y - 7, &(font){.size = 12, .fill = GREY}, "nearest neighbours, with their cosine similarity");
    for (size_t i = 0; i < t->queries; i++, y += side + CAPTION + GAP)
        draw_row(t, s, i, y, side, labelled, &same);
    y += 10;
    if (labelled) {
        snprintf(text, sizeof text, "%lld of %lld are of their query's class (dashed: another), found among %s images", (long long)same,
                 (long long)t->queries * t->k, format_commas((int64_t)t->n_among, number));
        svg_text_within(s, MARGIN, y, s->w - 2 * MARGIN, &(font){.size = 11, .fill = GREY}, text);
        y += 14;
    }
    *height = y;
}

static int draw(const plot_request *q, svg *s, double *height, err *e)
{
    plot_request asked = *q;
    sheet t = {.q = &asked};
    int rc;

    asked.queries = q->queries ? q->queries : QUERIES;
    asked.neighbours = q->neighbours ? q->neighbours : NEIGHBOURS;
    rc = points_read(&t.p, &asked, SIDE, e) || search(&t, e) ? -1 : 0;
    if (rc == 0)
        draw_sheet(&t, s, height);
    points_clear(&t.p);
    free(t.query);
    free(t.among);
    free(t.found);
    return rc;
}

const plot_kind plot_neighbours = {"neighbours", "embeddings with their images", "query images beside their nearest neighbours", draw, NULL, NULL};
