#include "pretext/pretext.h"

#include "base/opt.h"
#include "base/spec.h"
#include "pretext/tasks.h"

#include <stdlib.h>
#include <string.h>

const pretext_task *const pretext_tasks[] = {
    &pretext_rotate,
    &pretext_jigsaw,
    &pretext_context,
    &pretext_colorize,
    &pretext_inpaint,
    &pretext_superres,
    &pretext_labels,
    &pretext_contrast,
    &pretext_cluster,
    &pretext_pirl,
    NULL,
};

/* ---- Operands ---------------------------------------------------------------- */

static const pretext_task *find_task(const char *name, err *e)
{
    const char *names[64];
    int n = 0;

    for (const pretext_task *const *t = pretext_tasks; *t; t++) {
        if (strcmp((*t)->name, name) == 0)
            return *t;
        if (n < 64)
            names[n++] = (*t)->name;
    }
    const char *near = opt_nearest(name, names, n);
    if (near)
        err_set(e, ERR_USAGE, "unknown task '%s'; did you mean '%s'?", name, near);
    else
        err_set(e, ERR_USAGE, "unknown task '%s'; --list names them", name);
    return NULL;
}

static bool is_choice(const char *choices, const char *s)
{
    size_t n = strlen(s);

    for (const char *c = choices;; c++) {
        size_t len = strcspn(c, "|");
        if (len == n && memcmp(c, s, n) == 0)
            return true;
        c += len;
        if (!*c)
            return false;
    }
}

static int set_param(pretext *p, const pretext_param *q, const char *s, err *e)
{
    int64_t i = 0;
    double d = 0;

    if (q->choices && !is_choice(q->choices, s))
        return err_set(e, ERR_USAGE, "%s: %s is '%s'; it may be %s", p->task->name, q->name, s, q->choices);
    if (q->type == PRETEXT_WORD) {
        value_set(p->params, q->name, value_str(s));
        return 0;
    }
    if (q->type == PRETEXT_INT ? opt_int(s, &i) : opt_double(s, &d))
        return err_set(e, ERR_USAGE, "%s: %s is '%s', not a %snumber", p->task->name, q->name, s,
                       q->type == PRETEXT_INT ? "whole " : "");
    if (q->type == PRETEXT_INT)
        d = (double)i;
    if (!q->choices && (d < q->min || d > q->max))
        return err_set(e, ERR_USAGE, "%s: %s is %s; it may be %g to %g", p->task->name, q->name, s, q->min, q->max);
    value_set(p->params, q->name, q->type == PRETEXT_INT ? value_int(i) : value_float(d));
    return 0;
}

/* The parameter that the i-th item of an operand sets. */
static const pretext_param *find_param(const pretext_task *t, const spec_item *item, int i, err *e)
{
    int n = 0;

    for (const pretext_param *q = t->params; q && q->name; q++, n++)
        if (item->name ? strcmp(q->name, item->name) == 0 : n == i)
            return q;
    if (n == 0)
        err_set(e, ERR_USAGE, "%s has no parameters", t->name);
    else if (item->name)
        err_set(e, ERR_USAGE, "%s has no parameter '%s'; --list names them", t->name, item->name);
    else
        err_set(e, ERR_USAGE, "%s has no place for '%s'; --list names its parameters", t->name, item->value);
    return NULL;
}

static int set_params(pretext *p, const spec *s, err *e)
{
    const spec_item *given[SPEC_MAX_ITEMS] = {NULL};
    const pretext_param *params = p->task->params;

    for (int i = 0; i < s->n; i++) {
        const pretext_param *q = find_param(p->task, &s->item[i], i, e);
        if (!q)
            return -1;
        if (given[q - params])
            return err_set(e, ERR_USAGE, "%s: %s is given twice", p->task->name, q->name);
        given[q - params] = &s->item[i];
    }
    for (const pretext_param *q = params; q && q->name; q++) {
        const char *v = given[q - params] ? given[q - params]->value : q->standard;
        if (!v)
            return err_set(e, ERR_USAGE, "%s needs %s=...", p->task->name, q->name);
        if (set_param(p, q, v, e))
            return -1;
    }
    return value_failed(p->params) ? err_nomem(e) : 0;
}

int pretext_init(pretext *p, const char *operand, err *e)
{
    spec s;
    int rc = -1;

    *p = (pretext){0};
    if (spec_parse(&s, operand, e))
        return -1;
    p->task = find_task(s.name, e);
    if (p->task) {
        p->params = value_map();
        rc = p->params ? set_params(p, &s, e) : err_nomem(e);
    }
    if (rc)
        pretext_clear(p);
    spec_clear(&s);
    return rc;
}

void pretext_clear(pretext *p)
{
    if (p->task && p->task->clear)
        p->task->clear(p);
    value_free(p->params);
    *p = (pretext){0};
}

/* ---- The stage ----------------------------------------------------------------- */

static int set_transform(pretext *p, header *h, err *e)
{
    value *t = value_map();

    value_set(t, "space", value_str(p->gray ? "gray" : "rgb"));
    value_set(t, "normalize", value_str(p->gray ? "gray" : "imagenet"));
    value_free(h->input_transform);
    h->input_transform = t;
    return value_failed(t) ? err_nomem(e) : 0;
}

static int set_kind(header *h, const char *kind, err *e)
{
    char *k = strdup(kind);

    if (!k)
        return err_nomem(e);
    free(h->kind);
    h->kind = k;
    return 0;
}

int pretext_declare(pretext *p, header *h, uint64_t seed, bool keep, int workers, err *e)
{
    int64_t shape[4];

    if (header_expect(h, e, KIND_IMAGES, KIND_VIEWS, NULL) || pretext_declared(h, shape, e))
        return -1;
    p->gray = shape[3] == 1;
    p->classes = h->classes ? (int64_t)h->classes->n : 0;
    p->workers = workers;
    p->key = rng_mix_str(rng_mix(rng_mix_str(rng_mix(0, seed), "ssl-pretext"), history_count(h, "ssl-pretext")), p->task->name);
    if (set_transform(p, h, e) || p->task->declare(p, h, e))
        return -1;
    if (!keep) {
        header_remove_field(h, "image");
        header_remove_field(h, "views");
    }
    return set_kind(h, KIND_EXAMPLES, e);
}

int pretext_sample(const pretext *p, const sample *in, frame *out, bool keep, int worker, err *e)
{
    if (keep)
        frame_fields_except(out, in, NULL);
    else
        frame_fields_except(out, in, "image", "views", NULL);
    return p->task->sample(p, in, out, worker, e);
}

/* ---- For the tasks ------------------------------------------------------------- */

int pretext_get_images(const sample *in, pretext_images *x, err *e)
{
    bool views = sample_find(in, "views") != NULL;
    const tensor *t = sample_tensor(in, views ? "views" : "image", DT_U1, views ? 4 : 3, e);

    if (!t)
        return -1;
    const int64_t *s = t->shape + (views ? 1 : 0);
    *x = (pretext_images){views ? t->shape[0] : 1, s[0], s[1], s[2], t->data};
    if (t->bytes == 0)
        return err_set(e, ERR_INPUT, "the image is empty");
    return 0;
}

int pretext_declared(const header *h, int64_t shape[4], err *e)
{
    bool views = strcmp(h->kind, KIND_VIEWS) == 0;
    const char *name = views ? "views" : "image";
    int64_t dims[TENSOR_MAX_DIMS];
    dtype type;
    int n = header_field(h, name, &type, dims);

    if (n != (views ? 4 : 3) || type != DT_U1)
        return err_set(e, ERR_INPUT, "the header declares no field '%s' of |u1[%s]", name, views ? "V,H,W,C" : "H,W,C");
    shape[0] = 1;
    memcpy(views ? shape : shape + 1, dims, (size_t)n * sizeof *dims);
    for (int i = 0; i < 4; i++)
        if (shape[i] < -1 || shape[i] > INT32_MAX)
            return err_set(e, ERR_INPUT, "the header declares an impossible size for '%s'", name);
    return 0;
}

void pretext_put_input(frame *out, const pretext_images *x)
{
    int64_t shape[4] = {x->n, x->height, x->width, x->channels};
    uint8_t *input = frame_tensor(out, "input", DT_U1, 4, shape);

    if (input)
        memcpy(input, x->data, (size_t)(x->n * x->height * x->width * x->channels));
}

void pretext_store_i4(uint8_t *at, int32_t v)
{
    uint32_t u = (uint32_t)v;

    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(u >> 8 * i);
}

rng pretext_rng(const pretext *p, const sample *in, int view)
{
    uint64_t key = rng_mix(rng_mix(p->key, 0), (uint64_t)view);

    key = rng_mix(key, (uint64_t)sample_int(in, "epoch", 0));
    return rng_at(rng_mix(key, (uint64_t)sample_int(in, "index", 0)));
}

value *pretext_objective(const pretext *p, header *h, const char *name, err *e)
{
    value *o = value_map();

    value_set(o, "name", value_str(name));
    value_set(o, "task", value_str(p->task->name));
    value_free(h->objective);
    h->objective = o;
    if (value_failed(o)) {
        err_nomem(e);
        return NULL;
    }
    return o;
}
