/* Gathering the input of a convolution into panels. */

INLINE vec normalised(const float *p, vec a, vec b)
{
    return positive(load(p) * a + b);
}

/* n pixels of one row for one tap: positions ix, ix + step... of a row of W pixels (row NULL: outside the map). */
INLINE void pack_row(float *dst, const float *row, int ix, int step, int W, int n, bool pre, vec a, vec b)
{
    int i = 0;

    if (row)
        for (; i < n && ix < 0; i++, ix += step)
            store(dst + i * LANES, (vec){0});
    if (row) {
        const float *src = row + (ptrdiff_t)ix * LANES;
        for (; i < n && ix < W; i++, ix += step, src += step * LANES)
            store(dst + i * LANES, pre ? normalised(src, a, b) : load(src));
    }
    for (; i < n; i++)
        store(dst + i * LANES, (vec){0});
}

static void pack(const pack_args *p, int64_t first, int count)
{
    const lattice *at = p->at;
    size_t plane = (size_t)p->H * p->W * LANES, pitch = (size_t)p->pitch * LANES;

    /* A run of pixels of one lattice row at a time. */
    for (int i = 0; i < count;) {
        int64_t q = first + i;
        int x = (int)(q % at->W), y = (int)(q / at->W % at->H);
        int64_t n = q / at->W / at->H;
        int run = at->W - x < count - i ? at->W - x : count - i;

        for (int cb = 0; cb < p->blocks; cb++) {
            const float *map = p->src + ((size_t)n * p->blocks + cb) * plane;
            float *dst = p->panel + (size_t)cb * at->taps * pitch + (size_t)i * LANES;
            vec a = {0}, b = {0};
            if (p->pre.a) {
                a = load(p->pre.a + cb * LANES);
                b = load(p->pre.b + cb * LANES);
            }
            for (int t = 0; t < at->taps; t++, dst += pitch) {
                int iy = y * at->step + at->ty[t], ix = x * at->step + at->tx[t];
                const float *row = iy < 0 || iy >= p->H ? NULL : map + (size_t)iy * p->W * LANES;
                if (p->pre.a)
                    pack_row(dst, row, ix, at->step, p->W, run, true, a, b);
                else
                    pack_row(dst, row, ix, at->step, p->W, run, false, a, b);
            }
        }
        i += run;
    }
}
