/*
 * Contrast: the normalised temperature-scaled cross-entropy, NT-Xent (Chen,
 * Kornblith, Norouzi and Hinton, "A simple framework for contrastive learning
 * of visual representations", ICML 2020, equation 1). Of N images with P views
 * each there are R = N P rows z_i, with directions u_i = z_i / |z_i| and
 *
 *     s_ij = u_i . u_j / temperature
 *     L_i  = log sum_{j != i} exp s_ij - mean over i's other views j of s_ij
 *     L    = mean over i of L_i
 *
 * With two views this is SimCLR's loss; the mean is theirs divided by two where
 * code returns the sum over both directions. With more it is the supervised
 * contrastive loss, each image its own class (Khosla et al., NeurIPS 2020,
 * equation 2). With p_ij = exp(s_ij) / sum_{k != i} exp s_ik and q_ij the
 * share 1 / (P - 1) of each positive:
 *
 *     dL/du_i = 1 / (R temperature) sum_{j != i} (p_ij + p_ji - q_ij - q_ji) u_j
 *
 * Similarities are taken in double precision, block by block, twice: first for
 * the sums, then for the gradient. Memory is linear in R.
 *
 * Accuracy: how often the most similar of all other rows is a view of the same image.
 */
#include "nn/objective.h"
#include "nn/objectives/pairs.h"

#include <math.h>
#include <stdlib.h>

typedef struct row_loss {
    double lse, loss;
    bool correct;
} row_loss;

typedef struct contrast {
    node z;
    int P;
    const kernels *k;
    directions d;
    row_loss *row;    /* [rows] */
    double **scratch; /* [threads]: a block of similarities, then one of gradients */
    int threads;
} contrast;

static const batch_field fields[] = {{0}};

static const param params[] = {
    {"temperature", 0.5, 1e-6, 1e6, false, "similarities are divided by it"},
    {0},
};

static int configure(objective *o, const value *declared, err *e)
{
    (void)declared;
    o->own = calloc(1, sizeof(contrast));
    return o->own ? 0 : err_nomem(e);
}

static int build(objective *o, graph *g, const objective_nodes *at, const batch_shape *shape, err *e)
{
    contrast *c = o->own;

    if (shape && shape->P < 2)
        return err_set(e, ERR_INPUT, "contrast: one view of each image; there must be two or more (ssl-augment --views 2)");
    c->P = shape ? shape->P : 2;
    c->z = at->z;
    graph_output(g, c->z);
    return 0;
}

static int start(objective *o, graph *g, const objective_setting *s, err *e)
{
    contrast *c = o->own;
    int D, H, W, rows = s->batch * c->P;

    graph_shape(g, c->z, &D, &H, &W);
    c->k = kernels_choose(e);
    if (!c->k || directions_init(&c->d, rows, D, e))
        return -1;
    c->threads = graph_threads(g);
    c->row = calloc((size_t)rows, sizeof *c->row);
    c->scratch = calloc((size_t)c->threads, sizeof *c->scratch);
    if (!c->row || !c->scratch)
        return err_nomem(e);
    for (int i = 0; i < c->threads; i++)
        if (!(c->scratch[i] = pairs_alloc(PAIR_ROWS * (PAIR_COLUMNS + c->d.row))))
            return err_nomem(e);
    return 0;
}

static void clear(objective *o)
{
    contrast *c = o->own;

    if (!c)
        return;
    directions_clear(&c->d);
    for (int i = 0; c->scratch && i < c->threads; i++)
        free(c->scratch[i]);
    free(c->scratch);
    free(c->row);
    free(c);
}

typedef struct pass {
    contrast *c;
    double temperature;
    float *grad;
} pass;

/* The rows of a job. */
static int block_rows(const contrast *c, int job)
{
    int left = c->d.rows - job * PAIR_ROWS;

    return left < PAIR_ROWS ? left : PAIR_ROWS;
}

static int block_columns(const contrast *c, int column)
{
    int left = c->d.rows - column;

    return left < PAIR_COLUMNS ? left : PAIR_COLUMNS;
}

/* A row's sum of exponentials, exp(top) taken out, over the columns seen so far. */
typedef struct row_sum {
    double top, sum, positive;
    int nearest;
} row_sum;

static void add_columns(const pass *p, row_sum *r, int i, int column, int columns, const double *s)
{
    const int P = p->c->P;
    double top = r->top;

    for (int j = 0; j < columns; j++)
        if (column + j != i && s[j] / p->temperature > top) {
            top = s[j] / p->temperature;
            r->nearest = column + j;
        }
    r->sum = r->sum > 0 ? r->sum * exp(r->top - top) : 0;
    r->top = top;
    for (int j = 0; j < columns; j++) {
        if (column + j == i)
            continue;
        r->sum += exp(s[j] / p->temperature - top);
        if ((column + j) / P == i / P)
            r->positive += s[j] / p->temperature / (P - 1);
    }
}

static void sum_rows(void *arg, int job, int thread)
{
    pass *p = arg;
    contrast *c = p->c;
    int first = job * PAIR_ROWS, count = block_rows(c, job);
    double *s = c->scratch[thread];
    row_sum r[PAIR_ROWS];

    for (int i = 0; i < count; i++)
        r[i] = (row_sum){-INFINITY, 0, 0, -1};
    for (int column = 0; column < c->d.rows; column += PAIR_COLUMNS) {
        int columns = block_columns(c, column);
        directions_compare(&c->d, c->k, first, count, column, columns, s, PAIR_COLUMNS);
        for (int i = 0; i < count; i++)
            add_columns(p, &r[i], first + i, column, columns, s + (size_t)i * PAIR_COLUMNS);
    }
    for (int i = 0; i < count; i++) {
        double lse = r[i].top + log(r[i].sum);
        c->row[first + i] = (row_loss){lse, lse - r[i].positive, r[i].nearest / c->P == (first + i) / c->P};
    }
}

static void gradient_rows(void *arg, int job, int thread)
{
    pass *p = arg;
    contrast *c = p->c;
    int first = job * PAIR_ROWS, count = block_rows(c, job);
    double *s = c->scratch[thread], *g = s + PAIR_ROWS * PAIR_COLUMNS;
    double share = 2.0 / (c->P - 1), scale = 1 / (c->d.rows * p->temperature);

    for (int column = 0; column < c->d.rows; column += PAIR_COLUMNS) {
        int columns = block_columns(c, column);
        directions_compare(&c->d, c->k, first, count, column, columns, s, PAIR_COLUMNS);
        for (int i = 0; i < count; i++) {
            double *w = s + (size_t)i * PAIR_COLUMNS, lse = c->row[first + i].lse;
            for (int j = 0; j < columns; j++) {
                double x = w[j] / p->temperature;
                w[j] = exp(x - lse) + exp(x - c->row[column + j].lse);
                if ((column + j) / c->P == (first + i) / c->P)
                    w[j] = column + j == first + i ? 0 : w[j] - share;
            }
        }
        c->k->product(&(product_args){
            .a = s, .a_row = PAIR_COLUMNS, .b = c->d.z + (size_t)column * c->d.row, .b_row = c->d.row, .c = g,
            .c_row = c->d.row, .rows = count, .columns = (int)c->d.row, .depth = columns, .accumulate = column > 0});
    }
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < c->d.D; k++)
            g[(size_t)i * c->d.row + (size_t)k] *= scale;
        directions_gradient(&c->d, first + i, g + (size_t)i * c->d.row, p->grad + (size_t)(first + i) * (size_t)c->d.D);
    }
}

static int loss(objective *o, graph *g, const objective_step *s, objective_result *r, err *e)
{
    contrast *c = o->own;
    int rows = s->b->n * c->P, jobs = (rows + PAIR_ROWS - 1) / PAIR_ROWS;
    pass p = {c, objective_param(o, "temperature"), graph_grad(g, c->z)};
    int bad = directions_set(&c->d, graph_value(g, c->z), rows);

    (void)e;
    *r = (objective_result){.loss = NAN, .bad = bad < 0 ? -1 : bad / c->P};
    if (bad >= 0)
        return 0;
    graph_run(g, jobs, sum_rows, &p);
    /* A network without parameters has no gradient to compute. */
    if (p.grad)
        graph_run(g, jobs, gradient_rows, &p);
    r->loss = 0;
    r->counted = rows;
    for (int i = 0; i < rows; i++) {
        r->loss += c->row[i].loss / rows;
        r->correct += c->row[i].correct;
    }
    return 0;
}

const objective_type objective_contrast = {
    .name = "contrast",
    .about = "tell the views of an image from those of all others (NT-Xent)",
    .params = params,
    .fields = fields,
    .projector = "512-128",
    .chunks = true,
    .configure = configure,
    .build = build,
    .start = start,
    .loss = loss,
    .clear = clear,
};
