#include "image/sheet.h"

#include "base/format.h"
#include "image/encode.h"
#include "image/example.h"
#include "image/resize.h"
#include "image/text.h"
#include "stream/describe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MARGIN = 28,    /* round the page */
    CARD_GAP_X = 20,
    CARD_GAP_Y = 18,
    GAP = 4,        /* between the images of a card */
    CARD_MIN = 96,  /* a card is at least as wide, for its caption */
    MAX_IMAGES = 64, /* of a card; more are not drawn */
    MAX_SIDE = 16384 /* of the page */
};

static const uint8_t PAPER[3] = {255, 255, 255};
static const text_style HEADING = {15, true, {0x22, 0x22, 0x22}};
static const text_style SUBHEADING = {12, false, {0x77, 0x77, 0x77}};
static const text_style TITLE = {12, false, {0x22, 0x22, 0x22}};
static const text_style LABEL = {11, false, {0x44, 0x44, 0x44}};
static const text_style KEY = {10, false, {0x88, 0x88, 0x88}};

typedef struct card {
    image *im; /* n of them */
    char **label; /* one an image, each may be NULL */
    int n;
    char *title, *key; /* each may be "" */
} card;

struct sheet {
    const header *h;
    char *only;
    card *cards;
    int n, cap;
    int64_t wanted; /* images of the card that lacks most of them */
    int drawn;      /* those that it has */
};

/* ---- What to draw ------------------------------------------------------------------ */

static bool drawable(dtype type, int ndim, const int64_t *shape)
{
    int64_t c = ndim >= 3 ? shape[ndim - 1] : 0;

    return type == DT_U1 && (ndim == 3 || ndim == 4) && (c == 1 || c == 3 || c == -1);
}

/* What stands beside composed pictures: the image that they were made of. */
static bool original(const char *name, size_t len)
{
    return len == 5 && (memcmp(name, "image", 5) == 0 || memcmp(name, "views", 5) == 0);
}

/* Images of one sample, as the header declares them; 0 when nothing can be drawn. */
static int declared_images(const sheet *s)
{
    int64_t n = s->only ? 0 : example_declared(s->h);
    bool composed = n > 0;

    for (size_t i = 0; s->h->fields && i < s->h->fields->n; i++) {
        const char *name = s->h->fields->key[i];
        int64_t shape[TENSOR_MAX_DIMS];
        dtype type;
        int ndim = header_field(s->h, name, &type, shape);
        if (ndim < 0 || !drawable(type, ndim, shape) || (s->only && strcmp(s->only, name) != 0) ||
            (composed && !original(name, strlen(name))))
            continue;
        n += ndim == 4 && shape[0] > 0 && shape[0] < MAX_IMAGES ? shape[0] : 1;
    }
    return n > MAX_IMAGES ? MAX_IMAGES : (int)n;
}

sheet *sheet_new(const header *h, const char *only, err *e)
{
    sheet *s = calloc(1, sizeof *s);

    if (!s || (only && !(s->only = strdup(only)))) {
        free(s);
        err_nomem(e);
        return NULL;
    }
    s->h = h;
    if (declared_images(s) == 0) {
        if (only)
            err_set(e, ERR_INPUT, "a stream of kind %s has no field '%s' that can be drawn", h->kind, only);
        else
            err_set(e, ERR_INPUT, "a stream of kind %s has nothing to draw; a sheet shows images, views or examples", h->kind);
        sheet_free(s);
        return NULL;
    }
    return s;
}

static void card_clear(card *c)
{
    for (int i = 0; i < c->n; i++) {
        image_free(&c->im[i]);
        free(c->label[i]);
    }
    free(c->im);
    free(c->label);
    free(c->title);
    free(c->key);
    *c = (card){0};
}

void sheet_free(sheet *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n; i++)
        card_clear(&s->cards[i]);
    free(s->cards);
    free(s->only);
    free(s);
}

int sheet_count(const sheet *s)
{
    return s->n;
}

int64_t sheet_wanted(const sheet *s, int *drawn)
{
    *drawn = s->drawn;
    return s->wanted;
}

/* About sixty images, but a dozen cards at least. */
int sheet_capacity(const sheet *s)
{
    int n = 60 / declared_images(s);

    return n < 12 ? 12 : n;
}

/* ---- Cards -------------------------------------------------------------------------- */

/* How many images of a card stand side by side: a row up to five, else a block that is nearly square. */
static int columns_of(int n)
{
    if (n <= 5)
        return n;
    int c = (int)ceil(sqrt(n));
    return n % c && n % (c + 1) == 0 ? c + 1 : c;
}

/* The side up to which images are enlarged, and above which they are reduced, where a card has n. */
static int side_up(int n)
{
    return n <= 3 ? 128 : n <= 5 ? 96 : 64;
}

static int side_down(int n)
{
    return n <= 3 ? 160 : n <= 5 ? 128 : 96;
}

static int max_side(const image *im)
{
    return im->h > im->w ? im->h : im->w;
}

/* One image out of a tensor, reduced where it is large. */
static int take(image *dst, const uint8_t *p, const int64_t *hwc, int limit, err *e)
{
    image full = {0};
    int rc = -1;

    if (image_shape(&full, (int)hwc[0], (int)hwc[1], (int)hwc[2], e))
        return -1;
    memcpy(full.p, p, image_bytes(&full));
    if (max_side(&full) <= limit) {
        *dst = full;
        return 0;
    }
    double f = (double)limit / max_side(&full);
    int w = (int)lround(full.w * f), h = (int)lround(full.h * f);
    rc = image_resize(&full, 0, 0, full.w, full.h, w < 1 ? 1 : w, h < 1 ? 1 : h, RESAMPLE_LANCZOS, dst, e);
    image_free(&full);
    return rc;
}

/* The fields of a sample that are drawn, in order; returns the number of images in them. */
static int64_t drawn_fields(const sheet *s, const sample *in, const field *list[STREAM_MAX_FIELDS], int *n)
{
    int64_t images = 0;

    *n = 0;
    for (int i = 0; i < in->n; i++) {
        const field *x = &in->f[i];
        if (x->type != FIELD_TENSOR || x->t.bytes == 0 || !drawable(x->t.type, x->t.ndim, x->t.shape))
            continue;
        if (s->only && (strlen(s->only) != x->name_len || memcmp(s->only, x->name, x->name_len) != 0))
            continue;
        if (x->t.shape[x->t.ndim - 3] > INT32_MAX || x->t.shape[x->t.ndim - 2] > INT32_MAX)
            continue;
        list[(*n)++] = x;
        images += x->t.ndim == 4 ? x->t.shape[0] : 1;
    }
    return images;
}

/* The i-th target in words: the objective's name for it, or the number. */
static char *target_name(const header *h, const tensor *t, int64_t i)
{
    const value *names = value_get(h->objective, "names");
    uint32_t v = 0;
    char *text = NULL;

    for (int k = 0; k < 4; k++)
        v |= (uint32_t)t->data[4 * i + k] << 8 * k;
    if (names && names->type == VALUE_ARRAY && v < names->n && names->child[v]->type == VALUE_STR)
        return strdup(names->child[v]->s);
    return asprintf(&text, "%d", (int)(int32_t)v) < 0 ? NULL : text;
}

static bool is_number(const char *s, size_t n)
{
    size_t i = 0;

    while (i < n && s[i] >= '0' && s[i] <= '9')
        i++;
    return i == n;
}

/* "dog", "dog -> target", "-> target" or, where classes are only numbered, "class 3". */
static char *title_of(const header *h, const sample *in, const tensor *target, err *e)
{
    const field *class_name = sample_find(in, "class");
    char *name = target ? target_name(h, target, 0) : NULL;
    buf b = {0};
    int rc = 0;

    if (class_name && class_name->type == FIELD_STR) {
        const char *p = class_name->str.p;
        size_t n = class_name->str.n;
        rc = buf_addf(&b, e, "%s", is_number(p, n) ? "class " : "") || describe_text(p, n, &b, e) ? -1 : 0;
    }
    if (target && !rc)
        rc = !name ? err_nomem(e) : buf_addf(&b, e, "%s\xe2\x86\x92 %s", b.n ? " " : "", name);
    free(name);
    if (rc || buf_add(&b, "", 1, e)) {
        buf_free(&b);
        return NULL;
    }
    return (char *)b.p;
}

static char *key_of(const sample *in, err *e)
{
    const field *key = sample_find(in, "key");
    buf b = {0};

    if ((key && key->type == FIELD_STR && describe_text(key->str.p, key->str.n, &b, e)) || buf_add(&b, "", 1, e)) {
        buf_free(&b);
        return NULL;
    }
    return (char *)b.p;
}

/* The targets, when they are numbers of classes: <i4[T]. */
static const tensor *class_targets(const sample *in)
{
    const field *x = sample_find(in, "target");

    return x && x->type == FIELD_TENSOR && x->t.type == DT_I4 && x->t.ndim == 1 && x->t.shape[0] > 0 ? &x->t : NULL;
}

/* What stands below the i-th image of a field: its own target, or the field's name when there are several fields. */
static int label(char **out, const sheet *s, const sample *in, const field *x, int64_t i, bool several, err *e)
{
    const tensor *target = class_targets(in);
    bool input = x->name_len == 5 && memcmp(x->name, "input", 5) == 0;
    int64_t n = x->t.ndim == 4 ? x->t.shape[0] : 1;

    if (input && n > 1 && target && target->shape[0] == n)
        *out = target_name(s->h, target, i);
    else if (several && n == 1)
        *out = strndup(x->name, x->name_len);
    else
        return 0;
    return *out ? 0 : err_nomem(e);
}

static int caption(card *c, const sheet *s, const sample *in, err *e)
{
    const tensor *target = class_targets(in);

    c->title = title_of(s->h, in, target && target->shape[0] == 1 ? target : NULL, e);
    c->key = key_of(in, e);
    return c->title && c->key ? 0 : -1;
}

/* Into the card: fields as they are, up to `room` images. */
static int fill(card *c, const sheet *s, const sample *in, const field *const *list, int n_fields, bool several, int room,
                int limit, err *e)
{
    for (int f = 0; f < n_fields; f++) {
        const tensor *t = &list[f]->t;
        const int64_t *hwc = t->shape + t->ndim - 3;
        int64_t n = t->ndim == 4 ? t->shape[0] : 1, bytes = hwc[0] * hwc[1] * hwc[2];
        for (int64_t i = 0; i < n && c->n < room; i++) {
            int k = c->n++; /* counted before it is filled, so that a failure frees it */
            if (label(&c->label[k], s, in, list[f], i, several, e) ||
                take(&c->im[k], t->data + i * bytes, hwc, limit, e))
                return -1;
        }
    }
    return 0;
}

/* Into the card: pictures that were composed. */
static int fill_composed(card *c, const example *x, int limit, err *e)
{
    for (int i = 0; i < x->n; i++) {
        const image *im = &x->im[i];
        int k = c->n++;
        if (take(&c->im[k], im->p, (int64_t[]){im->h, im->w, im->c}, limit, e))
            return -1;
        if (!(c->label[k] = strdup(x->label[i])))
            return err_nomem(e);
    }
    return 0;
}

/* The fields that remain beside composed pictures; returns the number of images in them. */
static int64_t keep_originals(const field **list, int *n)
{
    int64_t images = 0;
    int kept = 0;

    for (int i = 0; i < *n; i++)
        if (original(list[i]->name, list[i]->name_len)) {
            images += list[i]->t.ndim == 4 ? list[i]->t.shape[0] : 1;
            list[kept++] = list[i];
        }
    *n = kept;
    return images;
}

int sheet_add(sheet *s, const sample *in, err *e)
{
    const field *list[STREAM_MAX_FIELDS];
    int n_fields;
    example composed = {0};
    int64_t images = drawn_fields(s, in, list, &n_fields);

    if (images == 0)
        return err_set(e, ERR_INPUT, "there is no image to draw");
    if (!s->only && example_draw(&composed, s->h, in, e)) {
        example_clear(&composed);
        return -1;
    }
    if (composed.n)
        images = keep_originals(list, &n_fields) + composed.of;
    if (s->n == s->cap) {
        int cap = s->cap ? 2 * s->cap : 64;
        card *cards = realloc(s->cards, (size_t)cap * sizeof *cards);
        if (!cards) {
            example_clear(&composed);
            return err_nomem(e);
        }
        s->cards = cards;
        s->cap = cap;
    }
    int64_t whole = images - composed.of; /* of the fields */
    int room = whole < MAX_IMAGES - composed.n ? (int)whole : MAX_IMAGES - composed.n, n = room + composed.n, limit = side_down(n);
    card c = {.im = calloc((size_t)n, sizeof *c.im), .label = calloc((size_t)n, sizeof *c.label)};
    int rc = !c.im || !c.label ? err_nomem(e) : 0;
    if (rc == 0 && (fill(&c, s, in, list, n_fields, n_fields + composed.n > 1, room, limit, e) ||
                    fill_composed(&c, &composed, limit, e) || caption(&c, s, in, e)))
        rc = -1;
    example_clear(&composed);
    if (rc) {
        card_clear(&c);
        return -1;
    }
    s->cards[s->n++] = c;
    if (images - n > s->wanted - s->drawn) {
        s->wanted = images;
        s->drawn = n;
    }
    return 0;
}

/* ---- The page ------------------------------------------------------------------------ */

typedef struct layout {
    int scale;                   /* of every image: a whole factor */
    int columns, rows;           /* of images in a card */
    int cell_w, cell_h, label_h; /* one image, and the line below it */
    int title_h, key_h;          /* the lines below a card; 0: none */
    int card_w, card_h;
    int across, down;            /* cards on the page */
    int head_h;                  /* the page's heading */
    int w, h;
} layout;

/* How many cards stand in a row: a page of about 3:2 without a ragged last row. */
static int choose_across(const layout *l, int n)
{
    int best = 1;
    double best_cost = INFINITY;

    for (int c = 1; c <= n; c++) {
        int rows = (n + c - 1) / c;
        double ratio = (double)c * (l->card_w + CARD_GAP_X) / ((double)rows * (l->card_h + CARD_GAP_Y));
        double cost = fabs(log(ratio / 1.5)) + 2.0 * (c * rows - n) / n;
        if (cost < best_cost) {
            best_cost = cost;
            best = c;
        }
    }
    return best;
}

static layout plan(const sheet *s)
{
    layout l = {.scale = 1};
    int side = 1, most = 1;

    for (int i = 0; i < s->n; i++) {
        const card *c = &s->cards[i];
        most = c->n > most ? c->n : most;
        for (int k = 0; k < c->n; k++) {
            side = max_side(&c->im[k]) > side ? max_side(&c->im[k]) : side;
            l.cell_w = c->im[k].w > l.cell_w ? c->im[k].w : l.cell_w;
            l.cell_h = c->im[k].h > l.cell_h ? c->im[k].h : l.cell_h;
            if (c->label[k])
                l.label_h = text_line_height(&LABEL) + 3;
        }
        if (*c->title)
            l.title_h = text_line_height(&TITLE);
        if (*c->key)
            l.key_h = text_line_height(&KEY);
    }
    l.columns = columns_of(most);
    l.rows = (most + l.columns - 1) / l.columns;
    if (side < side_up(most))
        l.scale = side_up(most) / side;
    l.cell_w *= l.scale;
    l.cell_h *= l.scale;
    l.card_w = l.columns * (l.cell_w + GAP) - GAP;
    if (l.card_w < CARD_MIN)
        l.card_w = CARD_MIN;
    l.card_h = l.rows * (l.cell_h + l.label_h + GAP) + l.title_h + l.key_h;
    l.across = choose_across(&l, s->n);
    l.down = (s->n + l.across - 1) / l.across;
    l.head_h = text_line_height(&HEADING) + text_line_height(&SUBHEADING) + 14;
    l.w = 2 * MARGIN + l.across * (l.card_w + CARD_GAP_X) - CARD_GAP_X;
    l.h = 2 * MARGIN + l.head_h + l.down * (l.card_h + CARD_GAP_Y) - CARD_GAP_Y;
    return l;
}

static void paste(image *page, int x, int y, const image *im, int scale)
{
    for (int i = 0; i < im->h * scale; i++) {
        const uint8_t *src = im->p + (size_t)(i / scale) * (size_t)im->w * (size_t)im->c;
        uint8_t *dst = page->p + ((size_t)(y + i) * (size_t)page->w + (size_t)x) * 3;
        for (int j = 0; j < im->w * scale; j++, dst += 3)
            for (int c = 0; c < 3; c++)
                dst[c] = src[j / scale * im->c + (im->c == 3 ? c : 0)];
    }
}

/* Text until it fails for the first time; then none. */
typedef struct pen {
    image *page;
    bool works;
    err *e;
} pen;

static void put(pen *p, int x, int y, int width, text_align align, text_cut cut, const text_style *style, const char *s)
{
    if (p->works && s && text_draw(p->page, x, y, width, align, cut, style, s, p->e))
        p->works = false;
}

static void draw_card(pen *p, const card *c, const layout *l, int x, int y)
{
    int bottom = y + l->rows * (l->cell_h + l->label_h + GAP) - (l->label_h ? GAP : 0);

    for (int k = 0, along = x; k < c->n; k++) {
        const image *im = &c->im[k];
        int w = im->w * l->scale, h = im->h * l->scale;
        int cx = x + k % l->columns * (l->cell_w + GAP), cy = y + k / l->columns * (l->cell_h + l->label_h + GAP);
        if (l->rows == 1) { /* close together, standing on one line */
            paste(p->page, along, y + l->cell_h - h, im, l->scale);
            put(p, along, y + l->cell_h + 3, w, TEXT_CENTRE, TEXT_CUT_END, &LABEL, c->label[k]);
            along += w + GAP;
        } else {
            paste(p->page, cx + (l->cell_w - w) / 2, cy + (l->cell_h - h) / 2, im, l->scale);
            put(p, cx, cy + l->cell_h + 3, l->cell_w, TEXT_CENTRE, TEXT_CUT_END, &LABEL, c->label[k]);
        }
    }
    put(p, x, bottom, l->card_w, TEXT_LEFT, TEXT_CUT_END, &TITLE, c->title);
    put(p, x, bottom + l->title_h, l->card_w, TEXT_LEFT, TEXT_CUT_FRONT, &KEY, c->key);
}

static const value *record(const value *history, const char *id)
{
    for (size_t i = 0; i < history->n; i++)
        if (strcmp(value_get_str(history->child[i], "id", ""), id) == 0)
            return history->child[i];
    return NULL;
}

/* The record that r has its input from, or NULL. */
static const value *input_of(const value *history, const value *r)
{
    const value *parents = value_get(r, "parents");

    for (size_t i = 0; parents && parents->type == VALUE_ARRAY && i < parents->n; i++)
        if (strcmp(value_get_str(parents->child[i], "role", ""), "input") == 0)
            return record(history, value_get_str(parents->child[i], "id", ""));
    return NULL;
}

/* "ssl-load | ssl-augment | ssl-pretext rotate": the last stages, back from the newest record. */
static int pipeline(const header *h, buf *b, err *e)
{
    enum { STAGES = 8 };
    const value *stage[STAGES], *r;
    int n = 0;

    r = h->history && h->history->n ? h->history->child[h->history->n - 1] : NULL;
    for (; r && n < STAGES; r = input_of(h->history, r))
        stage[n++] = r;
    while (n-- > 0) {
        const char *tool = value_get_str(stage[n], "tool", "?");
        const char *task = value_get_str(value_get(stage[n], "parameters"), "task", "");
        if (describe_text(tool, strlen(tool), b, e) || buf_addf(b, e, "%s", *task ? " " : "") ||
            describe_text(task, strlen(task), b, e) || buf_addf(b, e, "%s", n ? " | " : ""))
            return -1;
    }
    return buf_add(b, "", 1, e);
}

/* "[4,28,28,1]", with a letter where the size varies: "[H,W,3]". */
static void shape_text(int ndim, const int64_t *shape, char out[128])
{
    int n = 0;

    for (int i = 0; i < ndim; i++) {
        char letter[] = {"PHWC"[i + 4 - ndim], '\0'}, number[24];
        snprintf(number, sizeof number, "%lld", (long long)shape[i]);
        n += snprintf(out + n, 128 - (size_t)n, "%c%s", i ? ',' : '[', shape[i] < 0 ? letter : number);
    }
    snprintf(out + n, 128 - (size_t)n, "]");
}

/* "60 of 60,000 examples   input [4,28,28,1]   enlarged 3x" */
static int facts(const sheet *s, const layout *l, buf *b, err *e)
{
    bool composed = !s->only && example_declared(s->h) > 0;
    char count[32], shown[32];
    int rc;

    if (s->h->count >= 0)
        rc = buf_addf(b, e, "%s of %s %s", format_commas(s->n, shown), format_commas(s->h->count, count), s->h->kind);
    else
        rc = buf_addf(b, e, "the first %s %s", format_commas(s->n, shown), s->h->kind);
    for (size_t i = 0; !rc && s->h->fields && i < s->h->fields->n; i++) {
        const char *name = s->h->fields->key[i];
        int64_t shape[TENSOR_MAX_DIMS];
        char text[128];
        dtype type;
        int ndim = header_field(s->h, name, &type, shape);
        bool wanted = composed ? original(name, strlen(name)) || strcmp(name, "input") == 0 : !s->only || strcmp(s->only, name) == 0;
        if (ndim >= 0 && wanted && drawable(type, ndim, shape)) {
            shape_text(ndim, shape, text);
            rc = buf_addf(b, e, "   %s %s", name, text);
        }
    }
    if (!rc && l->scale > 1)
        rc = buf_addf(b, e, "   enlarged %dx", l->scale);
    return rc ? -1 : buf_add(b, "", 1, e);
}

static int draw_head(pen *p, const sheet *s, const layout *l, err *e)
{
    buf top = {0}, below = {0};
    int rc = -1, width = l->w - 2 * MARGIN;

    if (pipeline(s->h, &top, e) || facts(s, l, &below, e))
        goto out;
    put(p, MARGIN, MARGIN - 6, width, TEXT_LEFT, TEXT_CUT_END, &HEADING, (char *)top.p);
    put(p, MARGIN, MARGIN - 6 + text_line_height(&HEADING), width, TEXT_LEFT, TEXT_CUT_END, &SUBHEADING, (char *)below.p);
    rc = 0;
out:
    buf_free(&top);
    buf_free(&below);
    return rc;
}

int sheet_png(sheet *s, buf *out, bool *text, err *e)
{
    image page = {0};
    layout l = plan(s);
    pen p = {&page, true, e};
    int rc = -1;

    if (s->n == 0)
        return err_set(e, ERR_INPUT, "there is no sample to draw");
    if (l.w > MAX_SIDE || l.h > MAX_SIDE)
        return err_set(e, ERR_RUN, "a sheet of %d samples would be %d by %d pixels; draw fewer", s->n, l.w, l.h);
    if (image_shape(&page, l.h, l.w, 3, e))
        return -1;
    for (size_t i = 0; i < image_bytes(&page); i += 3)
        memcpy(page.p + i, PAPER, 3);
    if (draw_head(&p, s, &l, e))
        goto out;
    for (int i = 0; i < s->n; i++)
        draw_card(&p, &s->cards[i], &l, MARGIN + i % l.across * (l.card_w + CARD_GAP_X),
                  MARGIN + l.head_h + i / l.across * (l.card_h + CARD_GAP_Y));
    *text = p.works;
    rc = image_png(&page, out, e);
out:
    image_free(&page);
    return rc;
}
