#include "eval/logistic.h"

#include "base/pool.h"
#include "base/fmath.h"
#include "base/panel.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/*
 * Weights lie in panels of 16 classes: w[panel][d][16], d < depth, where depth
 * is dim + 1 (the bias: standardised features end in a 1) rounded up with
 * zeros. Columns beyond the last class stay zero.
 *
 * Rows are worked on in blocks that fit a second-level cache, several blocks a
 * job. Sums are float32 within a block, double beyond it, and jobs are added
 * up in order.
 */
enum { BLOCK_FLOATS = 64 * 1024, JOB_ROWS = 1024 };

static size_t block_rows(const logistic *m)
{
    size_t n = BLOCK_FLOATS / m->depth / PANEL_ROWS * PANEL_ROWS;

    return n < PANEL_ROWS ? PANEL_ROWS : n > 96 ? 96 : n;
}

double *logistic_weight(const logistic *m, double *w, int d, int c)
{
    return w + ((size_t)c / PANEL_COLUMNS * m->depth + (size_t)d) * PANEL_COLUMNS + (size_t)c % PANEL_COLUMNS;
}

/* ---- Standardisation ------------------------------------------------------- */

/* Mean, then the mean of squared differences: two passes, so that a large mean does no harm. */
static int find_moments(logistic *m, const features *f, rows train, err *e)
{
    size_t dim = (size_t)m->dim;
    double *mean = calloc(dim, 2 * sizeof *mean), n = (double)train.n;

    if (!mean)
        return err_nomem(e);
    double *square = mean + dim;
    for (size_t i = 0; i < train.n; i++) {
        const float *x = f->x + train.v[i] * dim;
        for (size_t d = 0; d < dim; d++)
            mean[d] += (double)x[d];
    }
    for (size_t d = 0; d < dim; d++)
        mean[d] /= n;
    for (size_t i = 0; i < train.n; i++) {
        const float *x = f->x + train.v[i] * dim;
        for (size_t d = 0; d < dim; d++)
            square[d] += ((double)x[d] - mean[d]) * ((double)x[d] - mean[d]);
    }
    for (size_t d = 0; d < dim; d++) {
        double deviation = sqrt(square[d] / n);
        bool constant = deviation <= 4 * (double)FLT_EPSILON * fabs(mean[d]) || deviation < (double)FLT_MIN;
        m->mean[d] = (float)mean[d];
        m->scale[d] = constant ? 0 : (float)(1 / deviation);
    }
    free(mean);
    return 0;
}

int logistic_init(logistic *m, const features *f, rows train, err *e)
{
    size_t dim = (size_t)f->dim;

    *m = (logistic){.dim = f->dim, .classes = f->classes};
    m->depth = panel_round_up(dim + 1, PANEL_ROWS);
    m->panels = panel_round_up((size_t)f->classes, PANEL_COLUMNS) / PANEL_COLUMNS;
    m->n_weights = m->panels * m->depth * PANEL_COLUMNS;
    m->mean = malloc(dim * sizeof *m->mean);
    m->scale = malloc(dim * sizeof *m->scale);
    m->w = calloc(m->n_weights, sizeof *m->w);
    if (!m->mean || !m->scale || !m->w)
        return err_nomem(e);
    return find_moments(m, f, train, e);
}

void logistic_clear(logistic *m)
{
    free(m->mean);
    free(m->scale);
    free(m->w);
    precondition_clear(&m->pre);
    *m = (logistic){0};
}

/* ---- One pass over rows ------------------------------------------------------ */

typedef struct worker {
    float *z;        /* [block][depth], standardised rows */
    float *logits;   /* [panel][block][16]; then the errors p - y */
    double *p;       /* [panel][16], of one row */
    float *gradient; /* [panel][depth][16], of one block */
} worker;

/* Some rows of a pass, and what they add to its sums. */
typedef struct job {
    size_t from, to;
    double loss;
    double *gradient; /* [n_weights], NULL when only predictions are wanted */
} job;

typedef struct pass {
    const logistic *m;
    const features *f;
    rows r;
    float *w;           /* [n_weights], of the weights at hand */
    int32_t *predicted; /* [r.n], or NULL */
    size_t block;
    int n_workers, n_jobs;
    worker *workers;
    job *jobs;
    pool *pool;
} pass;

static void standardise_block(const pass *p, float *z, const uint32_t *v, size_t n)
{
    const logistic *m = p->m;
    size_t dim = (size_t)m->dim;

    memset(z, 0, p->block * m->depth * sizeof *z);
    for (size_t i = 0; i < n; i++, z += m->depth) {
        panel_standardise(z, p->f->x + v[i] * dim, m->mean, m->scale, dim);
        z[dim] = 1;
    }
}

/* Row i of logits [panel][block][16] becomes softmax - onehot(y). Returns -log p(y); *best is the largest class. */
static double softmax_row(float *logits, double *p, size_t block, size_t i, int classes, int y, int *best)
{
    double sum = 0;
    int top = 0, wide = (int)panel_round_up((size_t)classes, PANEL_COLUMNS);
#define AT(c) logits[((size_t)(c) / PANEL_COLUMNS * block + i) * PANEL_COLUMNS + (size_t)(c) % PANEL_COLUMNS]
    for (int c = 1; c < classes; c++)
        if (AT(c) > AT(top))
            top = c;
    double most = (double)AT(top), own = (double)AT(y);
    *best = top;
    for (int c = 0; c < wide; c++) /* a whole panel, and no tail */
        p[c] = (double)AT(c) - most;
    fmath_exps(p, (size_t)wide);
    for (int c = 0; c < classes; c++)
        sum += p[c];
    for (int c = 0; c < classes; c++)
        AT(c) = (float)((double)(float)p[c] / sum);
    AT(y) -= 1;
#undef AT
    return most + fmath_log(sum) - own;
}

static void work_block(const pass *p, job *j, worker *w, size_t from, size_t n)
{
    const logistic *m = p->m;
    size_t panel_size = m->depth * PANEL_COLUMNS, logits_size = p->block * PANEL_COLUMNS;

    standardise_block(p, w->z, p->r.v + from, n);
    memset(w->logits, 0, m->panels * logits_size * sizeof *w->logits);
    for (size_t q = 0; q < m->panels; q++)
        panel_multiply_add(w->logits + q * logits_size, w->z, m->depth, 1, p->block, p->w + q * panel_size, m->depth);
    for (size_t i = 0; i < n; i++) {
        int best;
        j->loss += softmax_row(w->logits, w->p, p->block, i, m->classes, p->f->label[p->r.v[from + i]], &best);
        if (p->predicted)
            p->predicted[from + i] = best;
    }
    if (!j->gradient)
        return;
    memset(w->gradient, 0, m->n_weights * sizeof *w->gradient);
    for (size_t q = 0; q < m->panels; q++)
        panel_multiply_add(w->gradient + q * panel_size, w->z, 1, m->depth, m->depth, w->logits + q * logits_size, n);
    for (size_t i = 0; i < m->n_weights; i++)
        j->gradient[i] += (double)w->gradient[i];
}

static void work(void *item, int number, void *arg)
{
    job *j = item;
    const pass *p = arg;

    j->loss = 0;
    if (j->gradient)
        memset(j->gradient, 0, p->m->n_weights * sizeof *j->gradient);
    for (size_t i = j->from; i < j->to; i += p->block)
        work_block(p, j, &p->workers[number], i, j->to - i < p->block ? j->to - i : p->block);
}

/* Scratch for passes over those rows; pass_end() also after a failure. */
static int pass_begin(pass *p, const logistic *m, const features *f, rows r, int threads, bool gradient, err *e)
{
    size_t jobs = (r.n + JOB_ROWS - 1) / JOB_ROWS;

    *p = (pass){.m = m, .f = f, .r = r, .block = block_rows(m)};
    p->n_workers = (size_t)threads < jobs ? threads : jobs < 1 ? 1 : (int)jobs;
    p->n_jobs = p->n_workers < 2 ? 1 : 2 * p->n_workers;
    p->w = malloc(m->n_weights * sizeof *p->w);
    p->workers = calloc((size_t)p->n_workers, sizeof *p->workers);
    p->jobs = calloc((size_t)p->n_jobs, sizeof *p->jobs);
    if (!p->w || !p->workers || !p->jobs)
        return err_nomem(e);
    for (int i = 0; i < p->n_workers; i++) {
        worker *w = &p->workers[i];
        w->z = malloc(p->block * m->depth * sizeof *w->z);
        w->logits = malloc(m->panels * p->block * PANEL_COLUMNS * sizeof *w->logits);
        w->p = malloc(m->panels * PANEL_COLUMNS * sizeof *w->p);
        w->gradient = gradient ? malloc(m->n_weights * sizeof *w->gradient) : NULL;
        if (!w->z || !w->logits || !w->p || (gradient && !w->gradient))
            return err_nomem(e);
    }
    for (int i = 0; gradient && i < p->n_jobs; i++)
        if (!(p->jobs[i].gradient = malloc(m->n_weights * sizeof(double))))
            return err_nomem(e);
    p->pool = pool_new(p->n_workers, p->n_jobs, work, p, e);
    return p->pool ? 0 : -1;
}

static void pass_end(pass *p)
{
    pool_free(p->pool);
    for (int i = 0; p->workers && i < p->n_workers; i++) {
        free(p->workers[i].z);
        free(p->workers[i].logits);
        free(p->workers[i].p);
        free(p->workers[i].gradient);
    }
    for (int i = 0; p->jobs && i < p->n_jobs; i++)
        free(p->jobs[i].gradient);
    free(p->workers);
    free(p->jobs);
    free(p->w);
}

/* The oldest job's sums join the total. Returns the job, for its next use. */
static job *collect(pass *p, double *loss, double *gradient)
{
    job *j = pool_take(p->pool, true);

    if (!j)
        return NULL;
    *loss += j->loss;
    for (size_t i = 0; gradient && i < p->m->n_weights; i++)
        gradient[i] += j->gradient[i];
    return j;
}

/* Sums (not means) over all rows, at weights w. gradient may be NULL. */
static void pass_run(pass *p, const double *w, double *loss, double *gradient)
{
    const logistic *m = p->m;
    int used = 0;

    for (size_t i = 0; i < m->n_weights; i++)
        p->w[i] = (float)w[i];
    *loss = 0;
    if (gradient)
        memset(gradient, 0, m->n_weights * sizeof *gradient);
    for (size_t from = 0; from < p->r.n; from += JOB_ROWS) {
        job *j = pool_full(p->pool) ? collect(p, loss, gradient) : &p->jobs[used++];
        j->from = from;
        j->to = p->r.n - from < JOB_ROWS ? p->r.n : from + JOB_ROWS;
        pool_put(p->pool, j);
    }
    while (collect(p, loss, gradient))
        ;
}

/* ---- The objective, and what is done with it ------------------------------------ */

typedef struct objective {
    pass pass;
    double l2;
    double *w; /* [n_weights], scratch: the weights behind preconditioned variables */
} objective;

static int evaluate(const double *w, double *loss, double *gradient, void *arg, err *e)
{
    objective *o = arg;
    const logistic *m = o->pass.m;
    double n = (double)o->pass.r.n, squares = 0;

    (void)e;
    pass_run(&o->pass, w, loss, gradient);
    *loss /= n;
    for (size_t q = 0; q < m->panels; q++)
        for (size_t d = 0; d < m->depth; d++)
            for (size_t c = 0; c < PANEL_COLUMNS; c++) {
                size_t i = (q * m->depth + d) * PANEL_COLUMNS + c;
                gradient[i] /= n;
                if (d >= (size_t)m->dim) /* the bias */
                    continue;
                gradient[i] += o->l2 * w[i];
                squares += w[i] * w[i];
            }
    *loss += o->l2 / 2 * squares;
    return 0;
}

/* One panel after the other. The bias is a variable of its own: standardised features have no covariance with it. */
static void change_variables(const logistic *m, double *x, void (*change)(const preconditioner *p, double *x))
{
    for (size_t q = 0; q < m->panels; q++)
        change(&m->pre, x + q * m->depth * PANEL_COLUMNS);
}

static int evaluate_preconditioned(const double *v, double *loss, double *gradient, void *arg, err *e)
{
    objective *o = arg;
    const logistic *m = o->pass.m;

    memcpy(o->w, v, m->n_weights * sizeof *v);
    change_variables(m, o->w, precondition_to_w);
    if (evaluate(o->w, loss, gradient, o, e))
        return -1;
    change_variables(m, gradient, precondition_gradient);
    return 0;
}

static int minimise_preconditioned(logistic *m, objective *o, double tolerance, int max_iterations, int threads,
                                   lbfgs_result *result, err *e)
{
    if (!m->pre.moments && precondition_init(&m->pre, o->pass.f, o->pass.r, m->mean, m->scale, threads, e))
        return -1;
    if (!(o->w = malloc(m->n_weights * sizeof *o->w)))
        return err_nomem(e);
    precondition_factor(&m->pre, o->l2);
    change_variables(m, m->w, precondition_to_v);
    int rc = lbfgs_minimise(evaluate_preconditioned, o, m->n_weights, m->w, tolerance, max_iterations, result, e);
    change_variables(m, m->w, precondition_to_w);
    free(o->w);
    return rc;
}

int logistic_fit(logistic *m, const features *f, rows train, double l2, double tolerance, int max_iterations,
                 int threads, lbfgs_result *result, err *e)
{
    objective o = {.l2 = l2};
    int rc = pass_begin(&o.pass, m, f, train, threads, true, e);

    if (rc == 0 && precondition_pays(train.n, (size_t)m->dim))
        rc = minimise_preconditioned(m, &o, tolerance, max_iterations, threads, result, e);
    else if (rc == 0)
        rc = lbfgs_minimise(evaluate, &o, m->n_weights, m->w, tolerance, max_iterations, result, e);
    if (rc == 0 && !isfinite(result->f))
        rc = err_set(e, ERR_INPUT, "the features are too large for logistic regression");
    pass_end(&o.pass);
    return rc;
}

int logistic_loss(const logistic *m, const features *f, rows train, double l2, int threads, const double *w, double *loss,
                  double *gradient, err *e)
{
    objective o = {.l2 = l2};
    int rc = pass_begin(&o.pass, m, f, train, threads, true, e);

    if (rc == 0)
        rc = evaluate(w, loss, gradient, &o, e);
    pass_end(&o.pass);
    return rc;
}

int logistic_predict(const logistic *m, const features *f, rows test, int threads, int32_t *predicted, double *log_loss,
                     err *e)
{
    pass p;
    double sum = 0;
    int rc = pass_begin(&p, m, f, test, threads, false, e);

    p.predicted = predicted;
    if (rc == 0)
        pass_run(&p, m->w, &sum, NULL);
    pass_end(&p);
    if (log_loss)
        *log_loss = test.n ? sum / (double)test.n : 0;
    return rc;
}
