#include "image/augment/colour.h"
#include "image/augment/operation.h"

static const param none[] = {{0}};

static int apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    (void)a, (void)r, (void)scratch;

    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    colour_gray(dst->p, src->p, (size_t)src->w * (size_t)src->h, src->c);
    return 0;
}

const operation operation_gray = {"gray", "the luma in every channel", "0.1", none, NULL, NULL, apply};
