/* Loops over all elements alike, and changes of layout. */

static void relu(float *y, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i += LANES)
        store(y + i, positive(load(x + i)));
}

static void relu_backward(float *dx, const float *dy, const float *y, size_t count, bool accumulate)
{
    for (size_t i = 0; i < count; i += LANES) {
        vec g = keep(load(dy + i), load(y + i) > 0);
        store(dx + i, accumulate ? load(dx + i) + g : g);
    }
}

static void add(float *y, const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i += LANES)
        store(y + i, load(a + i) + load(b + i));
}

static void transpose(const float *src, float *dst)
{
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < LANES; j++)
            dst[i * LANES + j] = src[j * LANES + i];
}

static void sum(const float *x, int rows, size_t row, int pixels, float *sums)
{
    vec total = {0};

    for (int n = 0; n < rows; n++, x += row) {
        vec part = {0};
        for (int p = 0; p < pixels; p++)
            part += load(x + (size_t)p * LANES);
        total += part;
    }
    store(sums, total);
}

static void to_plain(const float *x, int C, int pixels, float *dst)
{
    for (int c = 0; c < C; c++) {
        const float *plane = x + (size_t)(c / LANES) * pixels * LANES + c % LANES;
        for (int p = 0; p < pixels; p++)
            *dst++ = plane[(size_t)p * LANES];
    }
}

static void from_plain(const float *src, int C, int pixels, float *x)
{
    for (int c = 0; c < C; c += LANES, x += (size_t)pixels * LANES) {
        int lanes = C - c < LANES ? C - c : LANES;
        for (int p = 0; p < pixels; p++) {
            float *v = x + (size_t)p * LANES;
            for (int i = 0; i < lanes; i++)
                v[i] = src[(size_t)(c + i) * pixels + p];
            for (int i = lanes; i < LANES; i++)
                v[i] = 0;
        }
    }
}

/* Enough sums to fill the pipelines, few enough for the registers. */
static double peak(int rounds, float *sink)
{
    vec sums[12], factor = splat(0.5f);

    for (int i = 0; i < 12; i++)
        sums[i] = splat((float)i); /* all different, or the compiler makes one of them */
    for (int r = 0; r < rounds; r++)
        UNROLL for (int i = 0; i < 12; i++)
            sums[i] = sums[i] * factor + factor;
    for (int i = 1; i < 12; i++)
        sums[0] += sums[i];
    *sink = sums[0][0];
    return 12.0 * 2 * LANES * rounds;
}
