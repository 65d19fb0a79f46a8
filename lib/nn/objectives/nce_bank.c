/*
 * nce-bank: tell an image from others by its memory (Misra and van der Maaten,
 * "Self-supervised learning of pretext-invariant representations", CVPR 2020,
 * section 3). A bank keeps a vector m of length 1 for each of the N images of
 * the data. Of an image there are two embeddings: f of the image itself and g
 * of another view: nine shuffled patches (field `patches`), each through the
 * encoder and a layer, side by side, and through another layer; or, with
 * patches = 0, the second of two inputs. With u a direction, m its image's
 * memory, m_1..m_K the memories of K other images, drawn anew for each step,
 * and a_j = u . m_j / temperature, p = softmax(a), both contribute
 *
 *     L(u) = -log p_0 - sum_{j >= 1} log(1 - p_j)      (equations 3 and 4)
 *     dL/da_k = p_k (1 - R) - [k = 0] + [k >= 1] r_k,  r_j = p_j / (1 - p_j),  R = sum_{j >= 1} r_j
 *     L = mean over images of (1 - weight) L(f) + weight L(g)    (equation 5)
 *
 * After the step each image's memory becomes the direction of
 * momentum m + (1 - momentum) f. The image is found by its `index`.
 *
 * Patches are smaller than the image: they have a graph of their own, whose
 * weights are copied from the network's before, and whose gradients are added
 * to the network's after, each step; its batch statistics are its own.
 *
 * Accuracy: how often the image's own memory is the nearest.
 */
#include "base/rng.h"
#include "nn/network.h"
#include "nn/objective.h"
#include "nn/objectives/pairs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATCHES };

static const batch_field fields[] = {
    [PATCHES] = {"patches", DT_U1, 4, true},
    {0},
};

static const param params[] = {
    {"temperature", 0.07, 1e-6, 1e6, false, "similarities are divided by it"},
    {"negatives", 4096, 1, 1e7, true, "memories of other images in a step; at most as many as there are"},
    {"momentum", 0.5, 0, 1, false, "of the memories"},
    {"weight", 0.5, 0, 1, false, "of the second embedding's loss"},
    {"patches", 9, 0, 64, true, "patches of an image; 0: two inputs of it instead"},
    {0},
};

/* One of the two embeddings of each image. */
typedef struct side {
    directions d;
    double weight;
    float *grad; /* row i at grad + i * stride; NULL: none is wanted */
    size_t stride;
} side;

typedef struct nce_bank {
    node z;
    int P, dim, N, K;
    uint64_t seed;
    float *bank;        /* [N][dim] */
    uint32_t *draw;     /* [N]: the step's negatives in front */
    float *gathered;    /* rows on their way to directions */
    directions others;  /* [K] */
    side f, g;
    double *loss;       /* [n]: both sides, weighted */
    int *correct;       /* [n] */
    double **scratch;
    int threads;
    const kernels *k;

    network patches;    /* its graph is NULL where there are none */
    int chunk;          /* rows of it computed at a time; 0: all */
    const batch *batch; /* that loss() was of, and its patches in all */
    int rows;
    network_arch arch;  /* of its encoder */
    node jigsaw;
    int (*shared)[2];   /* parameters of both graphs: here, there */
    int n_shared;
} nce_bank;

static int configure(objective *o, const value *declared, err *e)
{
    nce_bank *b = calloc(1, sizeof *b);

    (void)declared;
    o->own = b;
    return b ? 0 : err_nomem(e);
}

/* (n patches, D) -> (n, dim): a layer for each patch, one for all. */
static node add_jigsaw(graph *g, node features, int patches, int dim)
{
    node x = graph_linear(g, "patch", features, dim, true);

    return graph_linear(g, "jigsaw", graph_concat_rows(g, x, patches), dim, true);
}

static int build(objective *o, graph *g, const objective_nodes *at, const batch_shape *shape, err *e)
{
    nce_bank *b = o->own;
    int H, W, patches = (int)objective_param(o, "patches");

    if (at->z < 0)
        return err_set(e, ERR_RUN, "nce-bank: %s", graph_build_error(g));
    graph_shape(g, at->z, &b->dim, &H, &W);
    b->z = at->z;
    graph_output(g, b->z);
    b->P = shape ? shape->P : 1;
    bool patched = patches > 0;
    if (shape && (shape->P != (patched ? 1 : 2) || (shape->bytes[PATCHES] > 0) != patched))
        return err_set(e, ERR_INPUT, "nce-bank: expected one input of an image and the field 'patches', or, with patches=0, two inputs");
    if (shape && patched && shape->dims[PATCHES][0] != patches)
        return err_set(e, ERR_INPUT, "nce-bank: %lld patches of an image; the objective says %d", (long long)shape->dims[PATCHES][0], patches);
    if (shape && patched && (shape->H == 0 || shape->dims[PATCHES][3] != shape->C))
        return err_set(e, ERR_INPUT, "nce-bank: the patches do not go with the inputs");
    /* Nothing in this graph reads them: it only keeps their weights, for the optimiser and the model. */
    if (patched)
        add_jigsaw(g, at->features, patches, b->dim);
    if (shape && patched) {
        b->arch.H = (int)shape->dims[PATCHES][1];
        b->arch.W = (int)shape->dims[PATCHES][2];
    }
    return 0;
}

/* ---- The patches' graph -------------------------------------------------------------- */

static int match_params(nce_bank *b, const graph *g, err *e)
{
    const graph *own = b->patches.g;
    int n = graph_param_count(own);

    b->shared = malloc((size_t)n * sizeof *b->shared);
    if (!b->shared)
        return err_nomem(e);
    for (int i = 0; i < n; i++) {
        const param_info *p = graph_param(own, i);
        for (int k = 0; k < graph_param_count(g) && p->role != PARAM_STATE; k++) {
            const param_info *q = graph_param(g, k);
            if (strcmp(p->name, q->name) != 0)
                continue;
            if (p->count != q->count)
                return err_set(e, ERR_RUN, "nce-bank: parameter '%s' differs between images and patches", p->name);
            b->shared[b->n_shared][0] = k;
            b->shared[b->n_shared++][1] = i;
        }
    }
    return 0;
}

static int start_patches(objective *o, graph *g, const objective_setting *s, err *e)
{
    nce_bank *b = o->own;
    int H = b->arch.H, W = b->arch.W, patches = (int)objective_param(o, "patches");
    network *n = &b->patches;

    b->arch = *s->arch;
    b->arch.H = H;
    b->arch.W = W;
    n->g = graph_new(s->threads, e);
    if (!n->g)
        return -1;
    n->input = graph_input(n->g, b->arch.input.channels, H, W);
    n->at.features = encoder_build(b->arch.enc, n->g, n->input, b->arch.options, e);
    if (n->at.features < 0)
        return -1;
    b->jigsaw = add_jigsaw(n->g, n->at.features, patches, b->dim);
    graph_output(n->g, b->jigsaw);
    b->chunk = s->chunk * patches;
    return graph_compile(n->g, GRAPH_TRAIN, b->chunk ? b->chunk : s->batch * patches, e) || match_params(b, g, e) ? -1 : 0;
}

static void fill_patches(void *arg, int first, int n)
{
    nce_bank *b = arg;
    size_t bytes = (size_t)b->arch.H * (size_t)b->arch.W * (size_t)b->arch.C;

    network_fill(&b->patches, &b->arch, (const uint8_t *)b->batch->field[PATCHES] + (size_t)first * bytes, 0, n);
}

static int forward_patches(nce_bank *b, graph *g, const objective_step *s, err *e)
{
    graph *own = b->patches.g;

    for (int i = 0; i < b->n_shared; i++) {
        const param_info *from = graph_param(g, b->shared[i][0]), *to = graph_param(own, b->shared[i][1]);
        memcpy(graph_weights(own) + to->offset, graph_weights(g) + from->offset, to->count * sizeof(float));
    }
    graph_weights_changed(own);
    b->batch = s->b;
    b->rows = s->b->n * (int)s->shape->dims[PATCHES][0];
    return graph_forward_chunks(own, b->rows, b->chunk, fill_patches, b, e);
}

/* The encoder's gradients add up; what only the patches have is theirs alone. */
static int backward(objective *o, graph *g, err *e)
{
    nce_bank *b = o->own;
    graph *own = b->patches.g;

    if (!own)
        return 0;
    if (graph_backward_chunks(own, b->rows, b->chunk, fill_patches, b, e))
        return -1;
    for (int i = 0; i < b->n_shared; i++) {
        const param_info *to = graph_param(g, b->shared[i][0]), *from = graph_param(own, b->shared[i][1]);
        float *d = graph_grads(g) + to->offset;
        const float *x = graph_grads(own) + from->offset;
        bool both = strncmp(to->name, "encoder.", 8) == 0;
        for (size_t k = 0; k < to->count; k++)
            d[k] = both ? d[k] + x[k] : x[k];
    }
    return 0;
}

/* ---- State ------------------------------------------------------------------------------ */

static void random_directions(float *x, int n, int dim, uint64_t seed)
{
    rng r = rng_at(rng_mix_str(seed, "nce-bank"));

    for (int i = 0; i < n; i++, x += dim) {
        double sum = 0;
        for (int k = 0; k < dim; k++) {
            x[k] = (float)rng_normal(&r);
            sum += (double)x[k] * x[k];
        }
        for (int k = 0; k < dim; k++)
            x[k] = (float)(x[k] / sqrt(sum));
    }
}

static int start(objective *o, graph *g, const objective_setting *s, err *e)
{
    nce_bank *b = o->own;

    if (s->distinct < 2)
        return err_set(e, ERR_INPUT, "nce-bank: the header must tell the number of images ('distinct'), two or more");
    if (s->distinct > INT32_MAX)
        return err_set(e, ERR_INPUT, "nce-bank: a memory for each of %lld images is too many", (long long)s->distinct);
    b->N = (int)s->distinct;
    b->K = objective_param(o, "negatives") < b->N ? (int)objective_param(o, "negatives") : b->N;
    b->seed = s->seed;
    b->threads = graph_threads(g);
    b->k = kernels_choose(e);
    if (!b->k || (b->arch.H && start_patches(o, g, s, e)))
        return -1;
    int rows = b->K > s->batch ? b->K : s->batch;
    b->bank = malloc((size_t)b->N * (size_t)b->dim * sizeof *b->bank);
    b->draw = malloc((size_t)b->N * sizeof *b->draw);
    b->gathered = malloc((size_t)rows * (size_t)b->dim * sizeof *b->gathered);
    b->loss = malloc((size_t)s->batch * sizeof *b->loss);
    b->correct = malloc((size_t)s->batch * sizeof *b->correct);
    b->scratch = calloc((size_t)b->threads, sizeof *b->scratch);
    if (!b->bank || !b->draw || !b->gathered || !b->loss || !b->correct || !b->scratch)
        return err_nomem(e);
    if (directions_init(&b->others, b->K, b->dim, e) || directions_init(&b->f.d, s->batch, b->dim, e) ||
        directions_init(&b->g.d, s->batch, b->dim, e))
        return -1;
    for (int i = 0; i < b->threads; i++)
        if (!(b->scratch[i] = pairs_alloc(PAIR_ROWS * (b->others.column + b->others.row))))
            return err_nomem(e);
    random_directions(b->bank, b->N, b->dim, s->seed);
    return 0;
}

static bool state(objective *o, int i, objective_tensor *t)
{
    nce_bank *b = o->own;

    *t = (objective_tensor){"bank", DT_F4, 2, {b->N, b->dim}, b->bank};
    return i == 0;
}

static int check(const objective *o, const batch_shape *shape, const batch *b, int i, err *e)
{
    const nce_bank *own = o->own;

    (void)shape;
    if (b->index[i] < 0 || b->index[i] >= own->N)
        return err_set(e, ERR_INPUT, "the index %lld is not one of the %d images that the header declares", (long long)b->index[i], own->N);
    return 0;
}

static void clear(objective *o)
{
    nce_bank *b = o->own;

    if (!b)
        return;
    network_clear(&b->patches);
    directions_clear(&b->others);
    directions_clear(&b->f.d);
    directions_clear(&b->g.d);
    for (int i = 0; b->scratch && i < b->threads; i++)
        free(b->scratch[i]);
    free(b->scratch);
    free(b->shared);
    free(b->bank);
    free(b->draw);
    free(b->gathered);
    free(b->loss);
    free(b->correct);
    free(b);
}

/* ---- The loss ------------------------------------------------------------------------------ */

/* The step's negatives: K different images, the same for all rows. */
static void draw_negatives(nce_bank *b, int64_t step)
{
    rng r = rng_at(rng_mix(rng_mix_str(b->seed, "negatives"), (uint64_t)step));

    for (int i = 0; i < b->N; i++)
        b->draw[i] = (uint32_t)i;
    for (int i = 0; i < b->K; i++) {
        int j = i + (int)rng_below(&r, (uint64_t)(b->N - i));
        uint32_t t = b->draw[i];
        b->draw[i] = b->draw[j];
        b->draw[j] = t;
        memcpy(b->gathered + (size_t)i * (size_t)b->dim, b->bank + (size_t)b->draw[i] * (size_t)b->dim, (size_t)b->dim * sizeof(float));
    }
    directions_set(&b->others, b->gathered, b->K);
}

/*
 * L(u) from the logits a [K] of the others and *own of its own memory; their
 * derivatives take their place. skip: the image itself among the others, or -1.
 * At most one p_j is near 1; its 1 - p_j is summed from what remains, and
 * dL/da_k = p_k (2 - (R - r_k)) is taken without the difference of two large numbers.
 */
static double row_loss(double *a, int K, double *own, int skip, bool *correct)
{
    double top = *own, small = 0, R = 0;
    int big = -1;

    for (int j = 0; j < K; j++)
        if (j != skip && (big < 0 || a[j] > a[big]))
            big = j;
    *correct = big < 0 || *own > a[big];
    top = *correct ? *own : a[big];
    double e0 = exp(*own - top), loss = top - *own;
    for (int j = 0; j < K; j++) {
        a[j] = j == skip ? 0 : exp(a[j] - top);
        small += j == big ? 0 : a[j];
    }
    double sum = e0 + small + (big < 0 ? 0 : a[big]), spare = fmax((e0 + small) / sum, 1e-300);
    double r_big = big < 0 ? 0 : a[big] / sum / spare;
    loss += log(sum) - (big < 0 ? 0 : log(spare));
    for (int j = 0; j < K; j++) {
        a[j] /= sum;
        if (j == big)
            continue;
        loss -= log1p(-a[j]);
        R += a[j] / (1 - a[j]);
    }
    for (int j = 0; j < K; j++)
        a[j] *= j == big ? 2 - R : 2 - (R + r_big - a[j] / (1 - a[j]));
    *own = e0 / sum * (1 - R - r_big) - 1;
    return loss;
}

typedef struct pass {
    nce_bank *b;
    const batch *batch;
    double temperature;
    side *side;
} pass;

static void rows_of_job(void *arg, int job, int thread)
{
    const pass *p = arg;
    nce_bank *b = p->b;
    side *s = p->side;
    int first = job * PAIR_ROWS, count = p->batch->n - first < PAIR_ROWS ? p->batch->n - first : PAIR_ROWS;
    size_t dim = (size_t)b->dim, row = b->others.row, width = b->others.column;
    double *a = b->scratch[thread], *g = a + PAIR_ROWS * width, scale = s->weight / p->batch->n / p->temperature, own[PAIR_ROWS];

    b->k->product(&(product_args){.a = s->d.z + (size_t)first * row, .a_row = row, .b = b->others.t, .b_row = width, .c = a,
                                  .c_row = width, .rows = count, .columns = (b->K + 7) / 8 * 8, .depth = b->dim});
    for (int i = 0; i < count; i++) {
        const double *u = s->d.z + (size_t)(first + i) * row;
        double *logits = a + (size_t)i * width, dot = 0;
        uint32_t index = (uint32_t)p->batch->index[first + i];
        const float *memory = b->bank + index * dim;
        bool correct;
        int skip = -1;
        for (int j = 0; j < b->K; j++) {
            logits[j] /= p->temperature;
            if (b->draw[j] == index)
                skip = j;
        }
        for (size_t k = 0; k < dim; k++)
            dot += u[k] * memory[k];
        own[i] = dot / p->temperature;
        b->loss[first + i] += s->weight * row_loss(logits, b->K, &own[i], skip, &correct);
        b->correct[first + i] += correct;
    }
    if (!s->grad)
        return;
    b->k->product(&(product_args){.a = a, .a_row = width, .b = b->others.z, .b_row = row, .c = g, .c_row = row, .rows = count,
                                  .columns = (int)row, .depth = b->K});
    for (int i = 0; i < count; i++) {
        const float *memory = b->bank + (size_t)p->batch->index[first + i] * dim;
        double *d = g + (size_t)i * row;
        for (size_t k = 0; k < dim; k++)
            d[k] = scale * (d[k] + own[i] * memory[k]);
        directions_gradient(&s->d, first + i, d, s->grad + (size_t)(first + i) * s->stride);
    }
}

/* Rows of z, `step` apart, to a side's directions. Returns the first that is not finite, or -1. */
static int take(nce_bank *b, side *s, const float *z, int n, size_t step)
{
    for (int i = 0; i < n; i++)
        memcpy(b->gathered + (size_t)i * (size_t)b->dim, z + (size_t)i * step, (size_t)b->dim * sizeof *z);
    return directions_set(&s->d, b->gathered, n);
}

static int loss(objective *o, graph *g, const objective_step *s, objective_result *r, err *e)
{
    nce_bank *b = o->own;
    size_t dim = (size_t)b->dim;
    int n = s->b->n;
    float *grad = graph_grad(g, b->z);
    graph *own = b->patches.g;

    if (own && forward_patches(b, g, s, e))
        return -1;
    draw_negatives(b, s->step);
    double weight = objective_param(o, "weight");
    b->f.weight = 1 - weight;
    b->f.grad = grad;
    b->f.stride = (size_t)b->P * dim;
    b->g.weight = weight;
    b->g.grad = own ? graph_grad(own, b->jigsaw) : grad ? grad + dim : NULL;
    b->g.stride = own ? dim : 2 * dim;
    int bad = take(b, &b->f, graph_value(g, b->z), n, (size_t)b->P * dim);
    int bad_g = own ? take(b, &b->g, graph_value(own, b->jigsaw), n, dim) : take(b, &b->g, graph_value(g, b->z) + dim, n, 2 * dim);
    bad = bad < 0 ? bad_g : bad;
    *r = (objective_result){.loss = NAN, .bad = bad};
    if (bad >= 0)
        return 0;
    memset(b->loss, 0, (size_t)n * sizeof *b->loss);
    memset(b->correct, 0, (size_t)n * sizeof *b->correct);
    pass p = {b, s->b, objective_param(o, "temperature"), &b->f};
    graph_run(g, (n + PAIR_ROWS - 1) / PAIR_ROWS, rows_of_job, &p);
    p.side = &b->g;
    graph_run(g, (n + PAIR_ROWS - 1) / PAIR_ROWS, rows_of_job, &p);
    r->loss = 0;
    r->counted = 2 * n;
    for (int i = 0; i < n; i++) {
        r->loss += b->loss[i] / n;
        r->correct += b->correct[i];
    }
    return 0;
}

/* The memories move towards the images' embeddings. */
static int update(objective *o, graph *g, const objective_step *s, err *e)
{
    nce_bank *b = o->own;
    double momentum = objective_param(o, "momentum");

    (void)g, (void)e;
    for (int i = 0; i < s->b->n; i++) {
        const double *u = b->f.d.z + (size_t)i * b->f.d.row;
        float *m = b->bank + (size_t)s->b->index[i] * (size_t)b->dim;
        double sum = 0;
        for (int k = 0; k < b->dim; k++) {
            m[k] = (float)(momentum * m[k] + (1 - momentum) * u[k]);
            sum += (double)m[k] * m[k];
        }
        for (int k = 0; k < b->dim && sum > 0; k++)
            m[k] = (float)(m[k] / sqrt(sum));
    }
    return 0;
}

const objective_type objective_nce_bank = {
    .name = "nce-bank",
    .about = "tell an image and its other view from the memories of others (PIRL)",
    .params = params,
    .fields = fields,
    .projector = "128",
    .chunks = true,
    .configure = configure,
    .build = build,
    .start = start,
    .check = check,
    .loss = loss,
    .backward = backward,
    .update = update,
    .state = state,
    .clear = clear,
};
