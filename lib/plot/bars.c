/*
 * Bars of results: tables of ssl-probe or of pipelines, each bar the mean over
 * rows that differ only in what is not shown (seeds), with an interval and,
 * where there are several rows, a point for each.
 */
#include "eval/scores.h"
#include "plot/axis.h"
#include "plot/look.h"
#include "plot/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SERIES = 12, MARGIN = 20, BAR = 17, BAR_GAP = 3, GROUP_GAP = 15, SEEDS_FOR_T = 3 };

typedef struct bar {
    double *v;
    int n;
    double mean, low, high; /* low, high: NAN without an interval */
    double sum_low, sum_high; /* of the rows' own */
} bar;

typedef struct chart {
    const plot_request *q;
    table t;
    int group[TABLE_COLUMNS], groups_by, series[TABLE_COLUMNS], series_by; /* columns */
    name_set groups, kinds;
    bar *b;      /* [groups][MAX_SERIES] */
    int *order;  /* of the groups on the page */
    int seeds;   /* most rows of a bar */
    bool over_seeds, of_rows; /* where intervals came from */
} chart;

static bool varies(const table *t, int column)
{
    for (size_t i = 1; column >= 0 && i < t->rows; i++)
        if (strcmp(table_cell(t, i, column), table_cell(t, 0, column)) != 0)
            return true;
    return false;
}

/* The columns of a list, or, where there is none, those of `standard` that vary. */
static int choose(const table *t, const char *list, const char *const *standard, int *column, int *n, err *e)
{
    char name[64];

    for (const char *p = list; p && *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        snprintf(name, sizeof name, "%.*s", (int)len, p);
        p += len;
        if (*n == TABLE_COLUMNS || (column[(*n)++] = table_column(t, name)) < 0)
            return err_set(e, ERR_INPUT, "there is no column '%s'", name);
    }
    for (int i = 0; !list && standard[i]; i++) {
        int c = table_column(t, standard[i]);
        if (c >= 0 && varies(t, c))
            column[(*n)++] = c;
    }
    return 0;
}

/* What a row is called by some columns: "rotation, resnet10-16". */
static int name_of(const table *t, size_t row, const int *column, int n, const char *otherwise, buf *b, err *e)
{
    b->n = 0;
    for (int i = 0; i < n; i++)
        if (buf_addf(b, e, "%s%s", i ? ", " : "", table_cell(t, row, column[i])))
            return -1;
    return n == 0 ? buf_addf(b, e, "%s", otherwise) : 0;
}

static int add(chart *c, size_t row, int value, int low, int high, buf *b, err *e)
{
    const char *text = table_cell(&c->t, row, value);
    char *end;
    double v = strtod(text, &end);

    if (!*text || strcmp(text, "-") == 0)
        return 0; /* not measured */
    if (*end || !isfinite(v))
        return err_set(e, ERR_INPUT, "'%s' is no number", text);
    if (name_of(&c->t, row, c->group, c->groups_by, "", b, e))
        return -1;
    int g = names_number(&c->groups, (char *)b->p, b->n, e);
    if (g < 0 || name_of(&c->t, row, c->series, c->series_by, "", b, e))
        return -1;
    int k = names_number(&c->kinds, (char *)b->p, b->n, e);
    if (k < 0)
        return -1;
    if (k >= MAX_SERIES)
        return err_set(e, ERR_INPUT, "more than %d series; choose rows with --where, or other columns with --series", MAX_SERIES);
    bar *x = &c->b[(size_t)g * MAX_SERIES + (size_t)k];
    double *more = realloc(x->v, (size_t)(x->n + 1) * sizeof *more);
    if (!more)
        return err_nomem(e);
    x->v = more;
    x->v[x->n++] = v;
    x->sum_low += low >= 0 ? strtod(table_cell(&c->t, row, low), NULL) : NAN;
    x->sum_high += high >= 0 ? strtod(table_cell(&c->t, row, high), NULL) : NAN;
    c->seeds = x->n > c->seeds ? x->n : c->seeds;
    return 0;
}

/*
 * Three rows or more: Student's interval for their mean. One: its own. Of two, whose spread says little by itself, the
 * variances of their own intervals and of their mean are added.
 */
static void summarise(chart *c, bar *x)
{
    double low = INFINITY, high = -INFINITY;

    x->low = x->high = NAN;
    if (x->n == 0)
        return;
    for (int i = 0; i < x->n; i++) {
        x->mean += x->v[i] / x->n;
        low = fmin(low, x->v[i]);
        high = fmax(high, x->v[i]);
    }
    if (x->n >= SEEDS_FOR_T && high > low) {
        /* scores_mean() takes shares: ours are put round a half, close enough that it cuts nothing. */
        double *share = malloc((size_t)x->n * sizeof *share), unit = 8 * (high - low), m;
        if (share) {
            for (int i = 0; i < x->n; i++)
                share[i] = 0.5 + (x->v[i] - x->mean) / unit;
            interval t = scores_mean(share, x->n, &m);
            x->low = x->mean + (t.low - 0.5) * unit;
            x->high = x->mean + (t.high - 0.5) * unit;
            c->over_seeds = true;
        }
        free(share);
    } else if (isfinite(x->sum_low + x->sum_high)) {
        double spread = x->n == 2 ? 1.96 * (high - low) / 2 : 0; /* s / sqrt(2) = |a - b| / 2 */
        x->low = x->mean - hypot(x->mean - x->sum_low / x->n, spread);
        x->high = x->mean + hypot(x->sum_high / x->n - x->mean, spread);
        c->of_rows = true;
    }
}

static double first_mean(const chart *c, int g)
{
    for (int k = 0; k < c->kinds.n; k++)
        if (c->b[(size_t)g * MAX_SERIES + (size_t)k].n)
            return c->b[(size_t)g * MAX_SERIES + (size_t)k].mean;
    return 0;
}

static void order_groups(chart *c)
{
    for (int i = 0; i < c->groups.n; i++) {
        int j = i;
        for (; c->q->sort && j > 0 && first_mean(c, c->order[j - 1]) < first_mean(c, i); j--)
            c->order[j] = c->order[j - 1];
        c->order[j] = i;
    }
}

static int gather(chart *c, char **labels, err *e)
{
    static const char *const tables[] = {"data", "pretraining", "encoder", NULL}, *const probes[] = {"file", "labels", NULL},
                      *const how[] = {"method", "setting", "labels", NULL};
    const plot_request *q = c->q;
    const char *value_name = q->value ? q->value : "accuracy";
    buf b = {0};
    int rc = -1;

    for (int i = 0; i < q->n_inputs; i++)
        if (table_read(&c->t, q, i, labels[i], e))
            return -1;
    if (table_where(&c->t, &q->where, e))
        return -1;
    int value = table_column(&c->t, value_name);
    bool own = strcmp(value_name, "accuracy") == 0;
    if (value < 0)
        return err_set(e, ERR_INPUT, "'%s' has no column '%s'", q->inputs[0], value_name);
    bool pipeline = table_column(&c->t, "pretraining") >= 0;
    if (choose(&c->t, q->group, pipeline ? tables : probes, c->group, &c->groups_by, e) ||
        choose(&c->t, q->series, how, c->series, &c->series_by, e))
        return -1;
    for (int i = 0; i < c->groups_by; i++) /* a column tells groups or series apart, not both */
        for (int j = 0; !q->series && j < c->series_by; j++)
            if (c->series[j] == c->group[i])
                c->series[j--] = c->series[--c->series_by];
    c->b = calloc(c->t.rows * MAX_SERIES, sizeof *c->b);
    c->order = calloc(c->t.rows, sizeof *c->order);
    if (!c->b || !c->order)
        return err_nomem(e);
    for (size_t i = 0; i < c->t.rows; i++)
        if (add(c, i, value, own ? table_column(&c->t, "low") : -1, own ? table_column(&c->t, "high") : -1, &b, e))
            goto out;
    for (size_t i = 0; i < c->t.rows * MAX_SERIES; i++)
        summarise(c, &c->b[i]);
    rc = c->groups.n ? 0 : err_set(e, ERR_INPUT, "no row has a '%s'", value_name);
    order_groups(c);
out:
    buf_free(&b);
    return rc;
}

/* ---- Drawing ----------------------------------------------------------------------------- */

static double legend(const chart *c, svg *s, double y)
{
    const font name = {.size = 12};
    double x = MARGIN;
    char fill[24];

    if (c->kinds.n < 2)
        return y;
    for (int k = 0; k < c->kinds.n; k++) {
        double w = 24 + svg_text_width(c->kinds.v[k], name.size, false);
        if (x > MARGIN && x + w > s->w - MARGIN) {
            x = MARGIN;
            y += 20;
        }
        look_fill(k, fill);
        svg_add(s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"16\" height=\"12\" fill=\"%s\"/>\n", x, y + 2, fill);
        svg_text_within(s, x + 22, y + 12, s->w - MARGIN - x - 22, &name, c->kinds.v[k]);
        x += w + 20;
    }
    return y + 28;
}

static void draw_bar(const bar *x, const axis *a, svg *s, double y, int k)
{
    const font number = {.size = 11};
    double zero = axis_at(a, 0), to = axis_at(a, x->mean), mid = y + BAR / 2.0, end = to;
    char fill[24], text[32];

    look_fill(k, fill);
    svg_add(s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", fmin(zero, to), y, fabs(to - zero), BAR, fill);
    if (!isnan(x->low)) {
        double l = axis_at(a, x->low), h = axis_at(a, x->high);
        svg_add(s, "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#fff\" stroke-width=\"4\"/><path d=\"M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8\" stroke=\"%s\" "
                "stroke-width=\"1.4\" fill=\"none\"/>\n", l, mid, fmin(h, to), l, mid, h, l, mid - 4, h, mid - 4, INK);
        end = fmax(end, h);
    }
    for (int i = 0; x->n > 1 && i < x->n; i++) {
        svg_add(s, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\" fill=\"#fff\" stroke=\"%s\" stroke-width=\"1.2\"/>\n", axis_at(a, x->v[i]), mid, INK);
        end = fmax(end, axis_at(a, x->v[i]));
    }
    snprintf(text, sizeof text, fabs(x->mean) >= 1 ? "%.1f" : "%.3g", x->mean);
    svg_text(s, end + 7, mid + 4, &number, text);
}

static int group_height(const chart *c, int g)
{
    int n = 0;

    for (int k = 0; k < c->kinds.n; k++)
        n += c->b[(size_t)g * MAX_SERIES + (size_t)k].n > 0;
    return n * (BAR + BAR_GAP) - BAR_GAP;
}

static void draw_groups(const chart *c, svg *s, const axis *a, double y, double left)
{
    for (int i = 0; i < c->groups.n; i++) {
        int g = c->order[i], h = group_height(c, g);
        svg_text_within(s, left - 10, y + h / 2.0 + 4.3, left - 10 - MARGIN, &(font){.size = 12.5, .anchor = 'e'}, c->groups.v[g]);
        for (int k = 0; k < c->kinds.n; k++) {
            const bar *x = &c->b[(size_t)g * MAX_SERIES + (size_t)k];
            if (x->n == 0)
                continue;
            draw_bar(x, a, s, y, k);
            y += BAR + BAR_GAP;
        }
        y += GROUP_GAP - BAR_GAP;
    }
}

static int draw_chart(const chart *c, svg *s, double *height, err *e)
{
    const font tick = {.size = 10.5, .fill = GREY, .anchor = 'm'}, foot = {.size = 11, .fill = GREY};
    const char *value = c->q->value ? c->q->value : "accuracy";
    double y = legend(c, s, plot_title(s, c->q->title, MARGIN)), left = 0, low = 0, high = 0, v, below = y + 2;
    char text[32];
    buf note = {0};
    axis a;

    for (int i = 0; i < c->groups.n; i++) {
        left = fmax(left, svg_text_width(c->groups.v[i], 12.5, false));
        below += group_height(c, i) + GROUP_GAP;
        for (int k = 0; k < c->kinds.n; k++) {
            const bar *x = &c->b[(size_t)i * MAX_SERIES + (size_t)k];
            for (int j = 0; j < x->n; j++) {
                low = fmin(low, x->v[j]);
                high = fmax(high, x->v[j]);
            }
            if (x->n && !isnan(x->low)) {
                low = fmin(low, x->low);
                high = fmax(high, x->high);
            }
        }
    }
    left = MARGIN + fmin(left, s->w * 0.42) + 10;
    if (axis_init(&a, low, high, left, s->w - MARGIN - 36, 6, false, false, e))
        return err_prefix(e, "%s", value);
    for (int t = 0; axis_tick(&a, t, &v, text); t++) {
        svg_line(s, axis_at(&a, v), y - 2, axis_at(&a, v), below - GROUP_GAP + 6, RULE, 1);
        svg_text(s, axis_at(&a, v), below - GROUP_GAP + 20, &tick, text);
    }
    look_hatchings(s, c->kinds.n);
    draw_groups(c, s, &a, y + 2, left);
    svg_line(s, axis_at(&a, 0), y - 2, axis_at(&a, 0), below - GROUP_GAP + 6, INK, 1.2);
    y = below - GROUP_GAP + 40;
    buf_addf(&note, &s->e, "%s%s", value, strcmp(value, "accuracy") == 0 ? ", %" : "");
    if (c->of_rows || c->over_seeds)
        buf_addf(&note, &s->e, "; lines: 95 %% intervals%s", c->over_seeds ? " over the points" : c->seeds > 1 ? " over the images tested and the points" : " over the images tested");
    if (c->seeds > 1)
        buf_addf(&note, &s->e, "; points: seeds");
    if (buf_add(&note, "", 1, &s->e) == 0)
        svg_text_within(s, left, y, s->w - MARGIN - left, &foot, (char *)note.p);
    buf_free(&note);
    *height = y + 14;
    return 0;
}

static int draw(const plot_request *q, svg *s, double *height, err *e)
{
    chart c = {.q = q};
    char **labels = plot_labels(q, e);
    int rc = labels ? gather(&c, labels, e) : -1;

    if (rc == 0)
        rc = draw_chart(&c, s, height, e);
    for (size_t i = 0; c.b && i < c.t.rows * MAX_SERIES; i++)
        free(c.b[i].v);
    free(c.b);
    free(c.order);
    names_clear(&c.groups);
    names_clear(&c.kinds);
    table_clear(&c.t);
    plot_labels_free(labels, q->n_inputs);
    return rc;
}

const plot_kind plot_bars = {"bars", "tables of ssl-probe, or of results", "accuracies by method, with intervals, over seeds", draw, NULL, NULL};
