/*
 * No pretext at all: predict the class that the data comes with. The supervised
 * upper bound, trained by the same machinery as everything else.
 *
 *   image [H,W,C]   -> input [1,H,W,C], target: the label
 *   views [V,H,W,C] -> input [V,H,W,C], target: the label, V times
 */
#include "pretext/tasks.h"

static int declare(pretext *p, header *h, err *e)
{
    int64_t shape[4];

    if (pretext_declared(h, shape, e))
        return -1;
    if (p->classes == 0)
        return err_set(e, ERR_INPUT, "labels: the header lists no classes, so the samples' labels mean nothing");
    if (header_set_field(h, "input", "|u1", 4, shape, e) || header_set_field(h, "target", "<i4", 1, shape, e))
        return -1;

    value *o = pretext_objective(p, h, "classify", e);
    if (!o)
        return -1;
    value_set(o, "classes", value_int(p->classes));
    value_set(o, "parameters", value_map());
    return value_failed(o) ? err_nomem(e) : 0;
}

static int labels_sample(const pretext *p, const sample *in, frame *out, int worker, err *e)
{
    pretext_images x;

    (void)worker;
    const field *label = sample_find(in, "label");
    if (!label)
        return err_set(e, ERR_INPUT, "labels: the sample has no label; leave unlabelled ones out (ssl-load --split train)");
    if (label->type != FIELD_INT || label->i < 0 || label->i >= p->classes)
        return err_set(e, ERR_INPUT, "labels: the label is not a number from 0 to %lld", (long long)p->classes - 1);
    if (pretext_get_images(in, &x, e))
        return -1;

    pretext_put_input(out, &x);
    uint8_t *target = frame_tensor(out, "target", DT_I4, 1, &x.n);
    for (int64_t k = 0; target && k < x.n; k++)
        pretext_store_i4(target + 4 * k, (int32_t)label->i);
    return 0;
}

const pretext_task pretext_labels = {
    .name = "labels",
    .help = "predict the class that the data comes with (the supervised upper bound)",
    .declare = declare,
    .sample = labels_sample,
};
