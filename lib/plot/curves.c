/*
 * Curves of training: the logs of ssl-train, one JSON object a line, as small
 * panels with a common horizontal axis; one line a log in each.
 */
#include "plot/axis.h"
#include "plot/look.h"
#include "plot/plot.h"
#include "stream/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PANELS = 12, MARGIN = 20, LEFT = 46, GAP = 18, HEAD = 26, FOOT = 24, FEW = 24 };

static const struct {
    const char *key, *title;
    double unit;
    bool standard; /* drawn where it is there, without --panels */
    bool zero;     /* the axis begins at 0 */
} measures[] = {
    {"loss", "Loss", 1, true, false},
    {"accuracy", "Accuracy in the task, %", 100, true, false},
    {"monitor_knn", "kNN accuracy, %", 100, true, false},
    {"lr", "Learning rate", 1, true, true},
    {"embedding_std", "Deviation of embeddings", 1, true, true},
    {"effective_rank", "Effective rank", 1, true, true},
    {"grad_norm", "Gradient norm", 1, false, true},
    {"images_per_second", "Images per second", 1, false, true},
};
enum { MEASURES = sizeof measures / sizeof *measures };

typedef struct panel {
    char key[64];
    const char *title;
    double unit;
    bool zero;
    bool not_positive; /* --log-scale: some values were left out */
} panel;

typedef struct curve {
    double *x, *y, *smooth;
    size_t n, cap;
} curve;

typedef struct chart {
    const plot_request *q;
    char **labels;
    panel p[MAX_PANELS];
    int panels;
    curve *c; /* [inputs][columns] */
    int columns;
    double end; /* of the horizontal axis */
} chart;

/* ---- Reading ----------------------------------------------------------------------------- */

static int add_point(curve *c, double x, double y, err *e)
{
    /* A resumed run writes some steps again: the later ones count. */
    while (c->n && c->x[c->n - 1] >= x)
        c->n--;
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 64;
        double *nx = realloc(c->x, cap * sizeof *nx);
        if (!nx)
            return err_nomem(e);
        c->x = nx;
        double *ny = realloc(c->y, cap * sizeof *ny);
        if (!ny)
            return err_nomem(e);
        c->y = ny;
        c->cap = cap;
    }
    c->x[c->n] = x;
    c->y[c->n++] = y;
    return 0;
}

static int panel_of(chart *c, const char *key, bool asked, err *e)
{
    for (int i = 0; i < c->panels; i++)
        if (strcmp(c->p[i].key, key) == 0)
            return i;
    if (c->panels == MAX_PANELS)
        return err_set(e, ERR_USAGE, "more than %d panels", MAX_PANELS);
    panel *p = &c->p[c->panels];
    *p = (panel){.unit = 1};
    snprintf(p->key, sizeof p->key, "%s", key);
    for (size_t i = 0; i < MEASURES; i++)
        if (strcmp(measures[i].key, key) == 0) {
            if (!asked && !measures[i].standard)
                return -2;
            p->title = measures[i].title;
            p->unit = measures[i].unit;
            p->zero = measures[i].zero;
        }
    if (!p->title && !asked)
        return -2;
    return c->panels++;
}

static int choose_panels(chart *c, err *e)
{
    char key[64];

    for (const char *p = c->q->panels; p && *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        snprintf(key, sizeof key, "%.*s", (int)n, p);
        p += n;
        /* The names that people use for what the log calls otherwise. */
        if (panel_of(c, strcmp(key, "knn") == 0 ? "monitor_knn" : key, true, e) < 0)
            return -1;
    }
    for (size_t i = 0; !c->q->panels && i < MEASURES; i++)
        if (measures[i].standard && panel_of(c, measures[i].key, false, e) < 0)
            return -1;
    return 0;
}

static int add_line(chart *c, int file, const value *v, bool images, double *ratio, err *e)
{
    double step = value_get_float(v, "step", NAN), seen = value_get_float(v, "images", NAN);

    if (!isfinite(step))
        return err_set(e, ERR_INPUT, "no 'step'");
    if (isfinite(seen) && step > 0)
        *ratio = seen / step;
    double x = images ? step * *ratio : step;
    if (!isfinite(x))
        return 0;
    for (int i = 0; i < c->panels; i++) {
        double y = value_get_float(v, c->p[i].key, NAN) * c->p[i].unit;
        if (!isfinite(y))
            continue;
        if (c->q->log_scale && y <= 0) {
            c->p[i].not_positive = true;
            continue;
        }
        if (add_point(&c->c[file * c->columns + i], x, y, e))
            return -1;
        c->end = x > c->end ? x : c->end;
    }
    return 0;
}

static int read_log(chart *c, int file, err *e)
{
    bool images = c->q->x && strcmp(c->q->x, "images") == 0;
    double ratio = NAN;
    buf b = {0};
    int rc = plot_read(c->q, file, &b, e), line = 1;

    for (size_t at = 0; rc == 0 && at < b.n; line++) {
        uint8_t *end = memchr(b.p + at, '\n', b.n - at);
        if (!end)
            break; /* a line that is still being written */
        size_t n = (size_t)(end - b.p) - at;
        value *v = n ? json_parse((char *)b.p + at, n, e) : NULL;
        if (n && (!v || add_line(c, file, v, images, &ratio, e)))
            rc = err_prefix(e, "'%s', line %d", c->q->inputs[file], line);
        value_free(v);
        at += n + 1;
    }
    buf_free(&b);
    return rc;
}

/* Means of n values, half of them before and half after, as far as there are so many. */
static int smooth(curve *c, size_t n, err *e)
{
    size_t half = n / 2;

    c->smooth = malloc((c->n + 1) * sizeof *c->smooth);
    if (!c->smooth)
        return err_nomem(e);
    for (size_t i = 0; i < c->n; i++) {
        size_t room = i < c->n - 1 - i ? i : c->n - 1 - i, reach = half < room ? half : room;
        double sum = 0;
        for (size_t j = i - reach; j <= i + reach; j++)
            sum += c->y[j];
        c->smooth[i] = sum / (double)(2 * reach + 1);
    }
    return 0;
}

/* Panels that no log has anything for go; where they were asked for, that is an error. */
static int drop_empty(chart *c, err *e)
{
    int inputs = c->q->n_inputs, kept = 0, from = c->columns;
    bool not_positive = false;

    for (int i = 0; i < from; i++) {
        size_t n = 0;
        for (int f = 0; f < inputs; f++)
            n += c->c[f * from + i].n;
        if (n == 0 && c->q->panels && c->p[i].not_positive)
            return err_set(e, ERR_INPUT, "no log has positive values of '%s', as --log-scale needs them", c->p[i].key);
        if (n == 0 && c->q->panels)
            return err_set(e, ERR_INPUT, "no log has values of '%s'", c->p[i].key);
        not_positive |= c->p[i].not_positive;
        if (n == 0)
            continue;
        c->p[kept] = c->p[i];
        for (int f = 0; f < inputs; f++) {
            curve t = c->c[f * from + kept];
            c->c[f * from + kept] = c->c[f * from + i];
            c->c[f * from + i] = t;
        }
        kept++;
    }
    if (kept == 0 && not_positive)
        return err_set(e, ERR_INPUT, "nothing to draw: --log-scale needs positive values, and there are none");
    if (kept == 0)
        return err_set(e, ERR_INPUT, "nothing to draw: '%s' is no log of ssl-train", c->q->inputs[0]);
    c->panels = kept; /* the first so many of the columns */
    return 0;
}

/* ---- Drawing ----------------------------------------------------------------------------- */

static void polyline(svg *s, const axis *x, const axis *y, const curve *c, const double *v, const char *style)
{
    svg_add(s, "<path fill=\"none\" %s d=\"", style);
    for (size_t i = 0; i < c->n; i++)
        svg_add(s, "%s%.1f %.1f", i ? "L" : "M", axis_at(x, c->x[i]), axis_at(y, v[i]));
    svg_add(s, "\"/>\n");
}

static void draw_curve(svg *s, const axis *x, const axis *y, const curve *c, int file, int files)
{
    const char *colour = look_colour(file, files);
    char style[160];

    if (c->n == 0)
        return;
    if (c->smooth) {
        snprintf(style, sizeof style, "stroke=\"%s\" stroke-width=\"1\" stroke-opacity=\"0.3\"", colour);
        polyline(s, x, y, c, c->y, style);
    }
    snprintf(style, sizeof style, "stroke=\"%s\" stroke-width=\"1.9\" stroke-linejoin=\"round\" stroke-dasharray=\"%s\"", colour, look_dash(file));
    polyline(s, x, y, c, c->smooth ? c->smooth : c->y, style);
    /* Points where there are few; and one at the end, whose shape is the legend's. */
    for (size_t i = c->n <= FEW && !c->smooth ? 0 : c->n - 1; i < c->n; i++)
        look_point(s, file, axis_at(x, c->x[i]), axis_at(y, c->smooth ? c->smooth[i] : c->y[i]), 3, colour);
}

static int draw_panel(const chart *c, int i, svg *s, double x0, double y0, double w, double h, err *e)
{
    const panel *p = &c->p[i];
    const font tick = {.size = 10.5, .fill = GREY, .anchor = 'e'}, below = {.size = 10.5, .fill = GREY, .anchor = 'm'};
    double low = INFINITY, high = -INFINITY, v;
    char text[32];
    axis x, y;
    int files = c->q->n_inputs;

    for (int f = 0; f < files; f++) {
        const curve *k = &c->c[f * c->columns + i];
        for (size_t j = 0; j < k->n; j++) {
            low = fmin(low, k->y[j]);
            high = fmax(high, k->y[j]);
        }
    }
    bool log = c->q->log_scale && low > 0;
    if (p->zero && !log)
        low = fmin(low, 0);
    double left = x0 + LEFT, right = x0 + w, top = y0 + HEAD, foot = y0 + h - FOOT;
    if (axis_init(&x, 0, c->end, left, right, w < 300 ? 4 : 6, false, false, e))
        return err_prefix(e, "%s", c->q->x ? c->q->x : "step");
    if (axis_init(&y, low, high, foot, top, 4, log, !log, e))
        return err_prefix(e, "%s", p->key);
    if (y.low == y.high)
        y.high = y.low + 1;
    svg_text_within(s, x0, y0 + 13, w, &(font){.size = 12.5, .bold = true}, p->title ? p->title : p->key);
    for (int t = 0; axis_tick(&y, t, &v, text); t++) {
        svg_line(s, left, axis_at(&y, v), right, axis_at(&y, v), RULE, 1);
        svg_text(s, left - 6, axis_at(&y, v) + 3.7, &tick, text);
    }
    for (int t = 0; axis_tick(&x, t, &v, text); t++) {
        svg_line(s, axis_at(&x, v), foot, axis_at(&x, v), foot + 4, GREY, 1);
        svg_text(s, axis_at(&x, v), foot + 16, &below, text);
    }
    svg_line(s, left, foot, right, foot, GREY, 1);
    for (int f = 0; f < files; f++)
        draw_curve(s, &x, &y, &c->c[f * c->columns + i], f, files);
    return 0;
}

/* Lines of samples and names; returns where what follows begins. */
static double legend(const chart *c, svg *s, double y)
{
    const font name = {.size = 12};
    double x = MARGIN;
    int files = c->q->n_inputs;

    if (files < 2 && !c->q->labels)
        return y;
    for (int f = 0; f < files; f++) {
        double w = 38 + svg_text_width(c->labels[f], name.size, false);
        if (x > MARGIN && x + w > s->w - MARGIN) {
            x = MARGIN;
            y += 20;
        }
        svg_add(s, "<path d=\"M%.1f %.1fh28\" stroke=\"%s\" stroke-width=\"2\" stroke-dasharray=\"%s\"/>\n", x, y + 8, look_colour(f, files),
                look_dash(f));
        look_point(s, f, x + 14, y + 8, 3, look_colour(f, files));
        svg_text_within(s, x + 34, y + 12, s->w - MARGIN - x - 34, &name, c->labels[f]);
        x += w + 18;
    }
    return y + 28;
}

static int draw_panels(const chart *c, svg *s, double *height, err *e)
{
    int n = c->panels, across = n <= 3 ? n : n == 4 ? 2 : 3, down = (n + across - 1) / across;
    double y = legend(c, s, plot_title(s, c->q->title, MARGIN));
    double w = (s->w - 2 * MARGIN - (across - 1) * GAP) / across, h = fmin(w * 0.68, 300) + FOOT - 8;
    bool images = c->q->x && strcmp(c->q->x, "images") == 0;

    for (int i = 0; i < n; i++)
        if (draw_panel(c, i, s, MARGIN + i % across * (w + GAP), y + i / across * (h + 10), w, h, e))
            return -1;
    y += down * (h + 10);
    svg_text(s, s->w - MARGIN, y + 4, &(font){.size = 11, .fill = GREY, .anchor = 'e'}, images ? "images seen" : "training step");
    *height = y + 16;
    return 0;
}

static int draw(const plot_request *q, svg *s, double *height, err *e)
{
    chart c = {.q = q};
    int rc = -1;

    if (q->x && strcmp(q->x, "step") != 0 && strcmp(q->x, "images") != 0)
        return err_set(e, ERR_USAGE, "option '--x': '%s' is not one of step, images", q->x);
    if (choose_panels(&c, e) || !(c.labels = plot_labels(q, e)))
        return -1;
    c.columns = c.panels;
    c.c = calloc((size_t)(q->n_inputs * c.columns), sizeof *c.c);
    if (!c.c) {
        err_nomem(e);
        goto out;
    }
    for (int f = 0; f < q->n_inputs; f++)
        if (read_log(&c, f, e))
            goto out;
    if (drop_empty(&c, e))
        goto out;
    for (int i = 0; q->smooth > 1 && i < q->n_inputs * c.columns; i++)
        if (c.c[i].n > FEW && strcmp(c.p[i % c.columns].key, "lr") != 0 && smooth(&c.c[i], (size_t)q->smooth, e))
            goto out;
    rc = draw_panels(&c, s, height, e);
out:
    for (int i = 0; c.c && i < q->n_inputs * c.columns; i++) {
        free(c.c[i].x);
        free(c.c[i].y);
        free(c.c[i].smooth);
    }
    free(c.c);
    plot_labels_free(c.labels, q->n_inputs);
    return rc;
}

const plot_kind plot_curves = {"curves", "logs of ssl-train", "loss, accuracy, learning rate and collapse, as panels", draw, NULL, NULL};
