/*
 * Predict the clusters that the image was assigned to: DeepCluster (Caron et
 * al., ECCV 2018) and self-labelling with several heads (Asano, Rupprecht and
 * Vedaldi, ICLR 2020). Samples and assignments are joined by key.
 *
 *   image [H,W,C]   -> input [1,H,W,C], target: the cluster of each head
 *   views [V,H,W,C] -> input [V,H,W,C], target: the same, V times
 */
#include "pretext/tasks.h"
#include "stream/assignments.h"

#include <stdlib.h>
#include <string.h>

static int declare(pretext *p, header *h, err *e)
{
    int64_t shape[4], targets;
    assignments *a = calloc(1, sizeof *a);

    if (!a)
        return err_nomem(e);
    p->state = a;
    if (assignments_load(a, p->assign, e) || pretext_declared(h, shape, e))
        return -1;
    if (a->keys.n == 0)
        return err_set(e, ERR_INPUT, "'%s' assigns nothing", p->assign);
    p->history = a->history;
    p->role = "assignments";
    value_set(p->params, "assign", value_str(p->assign));
    value_set(p->params, "digest", value_str(a->digest));
    targets = shape[0] < 0 ? -1 : shape[0] * a->heads;
    if (value_failed(p->params))
        return err_nomem(e);
    if (header_set_field(h, "input", "|u1", 4, shape, e) || header_set_field(h, "target", "<i4", 1, &targets, e))
        return -1;

    value *o = pretext_objective(p, h, "classify", e), *params = value_map();
    if (!o) {
        value_free(params);
        return -1;
    }
    if (a->heads > 1)
        value_set(params, "heads", value_int(a->heads));
    value_set(o, "classes", value_int(a->clusters));
    value_set(o, "parameters", params);
    return value_failed(o) ? err_nomem(e) : 0;
}

static int cluster_sample(const pretext *p, const sample *in, frame *out, int worker, err *e)
{
    const assignments *a = p->state;
    const int32_t *c = assignments_of(a, in);
    pretext_images x;

    (void)worker;
    if (!c && strcmp(value_get_str(p->params, "missing", ""), "skip") == 0)
        return 1;
    if (!c)
        return err_set(e, ERR_INPUT, "cluster: '%s' has no cluster for this key (cluster:missing=skip leaves such samples out)", p->assign);
    if (pretext_get_images(in, &x, e))
        return -1;
    pretext_put_input(out, &x);

    int64_t shape[1] = {x.n * a->heads};
    uint8_t *target = frame_tensor(out, "target", DT_I4, 1, shape);
    for (int64_t k = 0; target && k < shape[0]; k++)
        pretext_store_i4(target + 4 * k, c[k % a->heads]);
    return 0;
}

static void clear(pretext *p)
{
    if (p->state)
        assignments_clear(p->state);
    free(p->state);
}

static const pretext_param params[] = {
    {"missing", PRETEXT_WORD, "fail", 0, 0, "fail|skip", "an image without a cluster is an error, or left out and counted"},
    {NULL, PRETEXT_INT, NULL, 0, 0, NULL, NULL},
};

const pretext_task pretext_cluster = {
    .name = "cluster",
    .help = "predict the clusters of --assign FILE (DeepCluster, self-labelling)",
    .params = params,
    .declare = declare,
    .sample = cluster_sample,
    .clear = clear,
    .assigned = true,
};
