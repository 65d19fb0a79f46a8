#include "image/augment/draw.h"
#include "image/augment/warp.h"

#include <math.h>

/*
 * Cubuk et al., "RandAugment: practical automated data augmentation with a
 * reduced search space", 2019, as torchvision's RandAugment has it: n of 14
 * changes, drawn with replacement, each with the strength that the table gives
 * for the magnitude m of 0..30, to either side where it has two.
 */

enum { N, M, FILTER, FILL };
enum { MAGNITUDES = 31 };

static const param params[] = {
    [N] = {"n", PARAM_INT, "2", "how many changes", 1, 64, 0, NULL},
    [M] = {"m", PARAM_INT, "9", "their magnitude, 0 to 30", 0, MAGNITUDES - 1, 0, NULL},
    [FILTER] = {"filter", PARAM_CHOICE, "nearest", "resampling", 0, 0, 0, WARP_NAMES},
    [FILL] = {"fill", PARAM_INT, "0", "grey level outside the image", 0, 255, 0, NULL},
    {0},
};

enum change {
    IDENTITY, SHEAR_X, SHEAR_Y, MOVE_X, MOVE_Y, ROTATE, BRIGHTNESS, COLOUR, CONTRAST, SHARPNESS, POSTERIZE, SOLARIZE,
    AUTOCONTRAST, EQUALIZE, CHANGES
};

/* torch.linspace(0, end, 31)[m]: in floats, from the nearer end. */
static double strength(double end, int m)
{
    float last = (float)end, step = last / (MAGNITUDES - 1);

    return m < MAGNITUDES / 2 ? step * (float)m : last - step * (float)(MAGNITUDES - 1 - m);
}

/* Some other operation, its parameters fixed. */
static int other(const operation *op, const double *values, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    argument a[OPERATION_MAX_PARAMS] = {{0}};

    for (int i = 0; op->params[i].name; i++)
        a[i] = (argument){true, values[i], values[i]};
    return op->apply(a, r, src, dst, scratch, e);
}

/* Shears are about the corner and moves are by whole pixels. */
static int warped(enum change change, double v, const argument *a, const image *src, image *dst, err *e)
{
    double shear[2] = {0, 0}, x = change == MOVE_X ? trunc(v) : 0, y = change == MOVE_Y ? trunc(v) : 0, m[6];

    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    warp_matrix(m, 0, 0, 0, x, y, 1, shear);
    if (change == SHEAR_X)
        m[1] = v;
    if (change == SHEAR_Y)
        m[3] = v;
    warp_affine(dst, src, m, (enum warp)a[FILTER].lo, (int)a[FILL].lo);
    return 0;
}

static int change_image(enum change change, const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    int m = (int)a[M].lo;
    double v = 0;

    switch (change) {
    case SHEAR_X:
    case SHEAR_Y: v = strength(0.3, m); break;
    case MOVE_X: v = strength(150.0 / 331.0 * src->w, m); break;
    case MOVE_Y: v = strength(150.0 / 331.0 * src->h, m); break;
    case ROTATE: v = strength(30, m); break;
    case BRIGHTNESS:
    case COLOUR:
    case CONTRAST:
    case SHARPNESS: v = strength(0.9, m); break;
    default: break;
    }
    if (change >= SHEAR_X && change <= SHARPNESS && rng_below(r, 2))
        v = -v;
    switch (change) {
    case SHEAR_X:
    case SHEAR_Y:
    case MOVE_X:
    case MOVE_Y: return warped(change, v, a, src, dst, e);
    case ROTATE: return other(&operation_rotate, (double[]){v, a[FILTER].lo, a[FILL].lo}, r, src, dst, scratch, e);
    case BRIGHTNESS: return other(&operation_jitter, (double[]){1 + v, 1, 1, 0}, r, src, dst, scratch, e);
    case CONTRAST: return other(&operation_jitter, (double[]){1, 1 + v, 1, 0}, r, src, dst, scratch, e);
    case COLOUR: return other(&operation_jitter, (double[]){1, 1, 1 + v, 0}, r, src, dst, scratch, e);
    case SHARPNESS: return other(&operation_sharpness, (double[]){1 + v}, r, src, dst, scratch, e);
    case POSTERIZE: return other(&operation_posterize, (double[]){8 - rint(m / ((MAGNITUDES - 1) / 4.0))}, r, src, dst, scratch, e);
    case SOLARIZE: return other(&operation_solarize, (double[]){ceil(255 - strength(255, m))}, r, src, dst, scratch, e);
    case AUTOCONTRAST: return other(&operation_autocontrast, &v, r, src, dst, scratch, e);
    case EQUALIZE: return other(&operation_equalize, &v, r, src, dst, scratch, e);
    default: return image_copy(dst, src, e);
    }
}

static int apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    image between = {0};
    int n = (int)a[N].lo, rc = 0;

    /* The last change ends in dst. */
    for (int i = n - 1; i >= 0 && rc == 0; i--) {
        image *to = i % 2 ? &between : dst;
        rc = change_image((enum change)rng_below(r, CHANGES), a, r, src, to, scratch, e);
        src = to;
    }
    image_free(&between);
    return rc;
}

const operation operation_randaugment = {
    "randaugment", "n changes of 14, of magnitude m", "1", params, NULL, NULL, apply,
};
