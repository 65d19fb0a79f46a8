/*
 * Predict by how many quarter turns an image was rotated (Gidaris, Singh and
 * Komodakis, "Unsupervised Representation Learning by Predicting Image
 * Rotations", ICLR 2018).
 *
 *   image [H,W,C]   -> input [A,H,W,C],   target 0..A-1
 *   views [V,H,W,C] -> input [V A,H,W,C], the A rotations of the first view first
 *
 * All rotations of an image are in one frame, hence in one batch, as in the
 * paper. A = 4: 0, 90, 180 and 270 degrees counter-clockwise. A = 2: 0 and 180,
 * where images need not be square.
 */
#include "pretext/rotate.h"

#include "pretext/tasks.h"

#include <string.h>

void rotate_quarter(uint8_t *dst, const uint8_t *src, int64_t height, int64_t width, int64_t channels, int quarter)
{
    /* Where the first row of dst begins in src, and the steps along and between rows. */
    int64_t row = width * channels, at = 0, along = channels, down = row;

    switch (quarter) {
    case 0:
        memcpy(dst, src, (size_t)(height * row));
        return;
    case 1: /* dst[i][j] = src[j][width - 1 - i] */
        at = row - channels, along = row, down = -channels;
        break;
    case 2: /* dst[i][j] = src[height - 1 - i][width - 1 - j] */
        at = height * row - channels, along = -channels, down = -row;
        break;
    case 3: /* dst[i][j] = src[height - 1 - j][i] */
        at = (height - 1) * row, along = -row, down = channels;
        break;
    }
    int64_t rows = quarter & 1 ? width : height, cols = quarter & 1 ? height : width;
    for (int64_t i = 0; i < rows; i++) {
        const uint8_t *s = src + at + i * down;
        for (int64_t j = 0; j < cols; j++, s += along, dst += channels)
            for (int64_t c = 0; c < channels; c++)
                dst[c] = s[c];
    }
}

static int angles(const pretext *p)
{
    return (int)value_get_int(p->params, "angles", 0);
}

static int need_square(const pretext *p, int64_t height, int64_t width, err *e)
{
    if (angles(p) == 2 || height == width || height < 0 || width < 0)
        return 0;
    return err_set(e, ERR_INPUT,
                   "rotate: the image is %lldx%lld pixels and a quarter turn needs a square one; "
                   "crop or resize it first (ssl-load --size N), or use rotate:angles=2",
                   (long long)width, (long long)height);
}

static int declare(pretext *p, header *h, err *e)
{
    static const char *const names[] = {"0\xc2\xb0", "90\xc2\xb0", "180\xc2\xb0", "270\xc2\xb0"}; /* degrees, for people */
    int64_t shape[4];
    int n = angles(p);

    if (pretext_declared(h, shape, e) || need_square(p, shape[1], shape[2], e))
        return -1;
    if (shape[0] > 0)
        shape[0] *= n;
    if (header_set_field(h, "input", "|u1", 4, shape, e) || header_set_field(h, "target", "<i4", 1, shape, e))
        return -1;

    value *o = pretext_objective(p, h, "classify", e);
    if (!o)
        return -1;
    value *list = value_array();
    for (int i = 0; i < n; i++)
        value_push(list, value_str(names[i * 4 / n]));
    value_set(o, "classes", value_int(n));
    value_set(o, "names", list);
    value_set(o, "parameters", value_map());
    return value_failed(o) ? err_nomem(e) : 0;
}

static int rotate_sample(const pretext *p, const sample *in, frame *out, int worker, err *e)
{
    pretext_images x;
    int n = angles(p);

    (void)worker;
    if (pretext_get_images(in, &x, e) || need_square(p, x.height, x.width, e))
        return -1;

    int64_t shape[4] = {x.n * n, x.height, x.width, x.channels};
    int64_t bytes = x.height * x.width * x.channels;
    uint8_t *input = frame_tensor(out, "input", DT_U1, 4, shape);
    for (int64_t k = 0; input && k < shape[0]; k++)
        rotate_quarter(input + k * bytes, x.data + k / n * bytes, x.height, x.width, x.channels, (int)(k % n) * 4 / n);

    uint8_t *target = frame_tensor(out, "target", DT_I4, 1, shape);
    for (int64_t k = 0; target && k < shape[0]; k++)
        pretext_store_i4(target + 4 * k, (int32_t)(k % n));
    return 0;
}

static const pretext_param params[] = {
    {"angles", PRETEXT_INT, "4", 2, 4, "2|4", "4: 0, 90, 180 and 270 degrees; 2: 0 and 180"},
    {NULL, PRETEXT_INT, NULL, 0, 0, NULL, NULL},
};

const pretext_task pretext_rotate = {
    .name = "rotate",
    .help = "predict the rotation of an image (RotNet)",
    .params = params,
    .declare = declare,
    .sample = rotate_sample,
};
