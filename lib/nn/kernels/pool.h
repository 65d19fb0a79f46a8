/* Pooling of one [H][W][L] plane. */

static void maxpool(const pool_args *p, const float *x, float *y, uint8_t *index)
{
    for (int oy = 0; oy < p->out_H; oy++)
        for (int ox = 0; ox < p->out_W; ox++, y += LANES) {
            vec best = splat(-INFINITY);
            ivec tap = (ivec){0} - 1;
            for (int r = 0; r < p->kernel; r++) {
                int iy = oy * p->stride - p->pad + r;
                if (iy < 0 || iy >= p->H)
                    continue;
                for (int s = 0; s < p->kernel; s++) {
                    int ix = ox * p->stride - p->pad + s;
                    if (ix < 0 || ix >= p->W)
                        continue;
                    vec v = load(x + ((size_t)iy * p->W + ix) * LANES);
                    /* The first of equals wins, a NaN always; the first tap must win over nothing. */
                    ivec wins = (v > best) | (v != v) | (tap < 0);
                    best = (vec)(((ivec)v & wins) | ((ivec)best & ~wins));
                    tap = (((ivec){0} + (r * p->kernel + s)) & wins) | (tap & ~wins);
                }
            }
            store(y, best);
            if (index) {
                bvec byte = __builtin_convertvector(tap, bvec);
                memcpy(index, &byte, sizeof byte);
                index += LANES;
            }
        }
}

/* Adds to dx. */
static void maxpool_backward(const pool_args *p, const float *dy, const uint8_t *index, float *dx)
{
    for (int oy = 0; oy < p->out_H; oy++)
        for (int ox = 0; ox < p->out_W; ox++, dy += LANES, index += LANES) {
            bvec byte;
            memcpy(&byte, index, sizeof byte);
            ivec won = __builtin_convertvector(byte, ivec);
            for (int r = 0; r < p->kernel; r++) {
                int iy = oy * p->stride - p->pad + r;
                if (iy < 0 || iy >= p->H)
                    continue;
                for (int s = 0; s < p->kernel; s++) {
                    int ix = ox * p->stride - p->pad + s;
                    if (ix < 0 || ix >= p->W)
                        continue;
                    float *d = dx + ((size_t)iy * p->W + ix) * LANES;
                    store(d, load(d) + keep(load(dy), won == r * p->kernel + s));
                }
            }
        }
}

static void avgpool(const float *x, int pixels, float *y)
{
    vec sum = {0};

    for (int p = 0; p < pixels; p++)
        sum += load(x + (size_t)p * LANES);
    store(y, sum * (1.0f / (float)pixels));
}

static void avgpool_backward(const float *dy, int pixels, float *dx, bool accumulate)
{
    vec d = load(dy) * (1.0f / (float)pixels);

    for (int p = 0; p < pixels; p++)
        store(dx + (size_t)p * LANES, accumulate ? load(dx + (size_t)p * LANES) + d : d);
}
