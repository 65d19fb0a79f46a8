/*
 * Tell the views of one image from those of all others (Chen, Kornblith,
 * Norouzi and Hinton, "A Simple Framework for Contrastive Learning of Visual
 * Representations", ICML 2020). What a view is, ssl-augment decides.
 *
 *   views [V,H,W,C], V >= 2 -> input [V,H,W,C]
 */
#include "pretext/tasks.h"

static int need_views(int64_t n, err *e)
{
    if (n != 1 && n != 0)
        return 0;
    return err_set(e, ERR_INPUT, "contrast: there must be two or more views of each image; make them with ssl-augment --views 2");
}

static int declare(pretext *p, header *h, err *e)
{
    int64_t shape[4];

    if (pretext_declared(h, shape, e) || need_views(shape[0], e) || header_set_field(h, "input", "|u1", 4, shape, e))
        return -1;
    value *o = pretext_objective(p, h, "contrast", e);
    if (!o)
        return -1;
    value_set(o, "parameters", value_map());
    return value_failed(o) ? err_nomem(e) : 0;
}

static int contrast_sample(const pretext *p, const sample *in, frame *out, int worker, err *e)
{
    pretext_images x;

    (void)p, (void)worker;
    if (pretext_get_images(in, &x, e) || need_views(x.n, e))
        return -1;
    pretext_put_input(out, &x);
    return 0;
}

const pretext_task pretext_contrast = {
    .name = "contrast",
    .help = "tell the views of one image from those of all others (SimCLR)",
    .declare = declare,
    .sample = contrast_sample,
};
