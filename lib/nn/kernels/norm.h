/* Batch normalisation. Rows n0..n1-1 of [N][blocks][pixels][L]. */

/*
 * Statistics are sums about a pivot, the first values seen, so that a mean far
 * from zero costs no digits: mean = pivot + sum / count, and
 * sum (z - mean)^2 = squares - sum^2 / count.
 */
static void norm_stats(const norm_args *m, int n0, int n1, float *stats)
{
    for (int cb = 0; cb < m->blocks; cb++, stats += STAT_ROWS * LANES) {
        vec pivot = load(m->z + ((size_t)n0 * m->blocks + cb) * m->pixels * LANES);
        vec sum = {0}, squares = {0}, sum2 = {0}, squares2 = {0};
        for (int n = n0; n < n1; n++) {
            const float *z = m->z + ((size_t)n * m->blocks + cb) * m->pixels * LANES;
            int p = 0;
            for (; p + 1 < m->pixels; p += 2, z += 2 * LANES) {
                vec d = load(z) - pivot, e = load(z + LANES) - pivot;
                sum += d;
                squares += d * d;
                sum2 += e;
                squares2 += e * e;
            }
            if (p < m->pixels) {
                vec d = load(z) - pivot;
                sum += d;
                squares += d * d;
            }
        }
        store(stats, splat((float)(n1 - n0) * (float)m->pixels));
        store(stats + LANES, pivot);
        store(stats + 2 * LANES, sum + sum2);
        store(stats + 3 * LANES, squares + squares2);
    }
}

INLINE void norm_apply_as(const norm_args *m, int n0, int n1, bool other, bool rectify)
{
    for (int n = n0; n < n1; n++)
        for (int cb = 0; cb < m->blocks; cb++) {
            size_t at = ((size_t)n * m->blocks + cb) * m->pixels * LANES;
            vec a = load(m->a + cb * LANES), b = load(m->b + cb * LANES);
            for (int p = 0; p < m->pixels; p++, at += LANES) {
                vec v = load(m->z + at) * a + b;
                if (other)
                    v += load(m->other + at);
                if (rectify)
                    v = positive(v);
                if (m->stream)
                    stream(m->y + at, v);
                else
                    store(m->y + at, v);
            }
        }
    if (m->stream)
        stream_end();
}

static void norm_apply(const norm_args *m, int n0, int n1)
{
    if (m->other && m->relu)
        norm_apply_as(m, n0, n1, true, true);
    else if (m->other)
        norm_apply_as(m, n0, n1, true, false);
    else if (m->relu)
        norm_apply_as(m, n0, n1, false, true);
    else
        norm_apply_as(m, n0, n1, false, false);
}

/* dy where the output was positive; the mask is read from y or, without a residual, recomputed as the forward pass computed it. */
INLINE vec norm_masked(const norm_args *m, vec dy, vec z, vec a, vec b, size_t at, bool from_y, bool from_z)
{
    if (from_y)
        return keep(dy, load(m->mask_y + at) > 0);
    if (from_z)
        return keep(dy, z * a + b > 0);
    return dy;
}

INLINE void norm_sums_as(const norm_args *m, int n0, int n1, float *sums, bool from_y, bool from_z, bool write_g, bool add_other)
{
    for (int cb = 0; cb < m->blocks; cb++, sums += 2 * LANES) {
        vec a = load(m->a + cb * LANES), b = load(m->b + cb * LANES), mean = load(m->mean + cb * LANES);
        vec sum = {0}, dot = {0};
        for (int n = n0; n < n1; n++) {
            size_t at = ((size_t)n * m->blocks + cb) * m->pixels * LANES;
            for (int p = 0; p < m->pixels; p++, at += LANES) {
                vec z = load(m->z + at);
                vec g = norm_masked(m, load(m->dy + at), z, a, b, at, from_y, from_z);
                if (write_g)
                    store(m->g + at, g);
                if (add_other)
                    store(m->d_other + at, load(m->d_other + at) + g);
                sum += g;
                dot += g * (z - mean);
            }
        }
        store(sums, sum);
        store(sums + LANES, dot);
    }
}

static void norm_backward_sums(const norm_args *m, int n0, int n1, float *sums)
{
    bool from_y = m->mask_y != NULL, from_z = m->relu && !from_y;

    if (from_z && !m->g && !m->d_other)
        norm_sums_as(m, n0, n1, sums, false, true, false, false);
    else if (from_y && m->g && !m->d_other)
        norm_sums_as(m, n0, n1, sums, true, false, true, false);
    else
        norm_sums_as(m, n0, n1, sums, from_y, from_z, m->g != NULL, m->d_other != NULL);
}

INLINE void norm_backward_apply_as(const norm_args *m, int n0, int n1, bool from_z, bool accumulate)
{
    const float *dy = m->g ? m->g : m->dy;

    for (int n = n0; n < n1; n++)
        for (int cb = 0; cb < m->blocks; cb++) {
            size_t at = ((size_t)n * m->blocks + cb) * m->pixels * LANES;
            vec a = load(m->a + cb * LANES), b = load(m->b + cb * LANES);
            vec c1 = load(m->c1 + cb * LANES), c2 = load(m->c2 + cb * LANES), c3 = load(m->c3 + cb * LANES);
            for (int p = 0; p < m->pixels; p++, at += LANES) {
                vec z = load(m->z + at);
                vec g = norm_masked(m, load(dy + at), z, a, b, at, false, from_z);
                vec d = c1 * g + (c2 * z + c3);
                store(m->dz + at, accumulate ? load(m->dz + at) + d : d);
            }
        }
}

static void norm_backward_apply(const norm_args *m, int n0, int n1)
{
    bool from_z = m->relu && !m->g;

    if (from_z && !m->dz_accumulate)
        norm_backward_apply_as(m, n0, n1, true, false);
    else if (!from_z && !m->dz_accumulate)
        norm_backward_apply_as(m, n0, n1, false, false);
    else
        norm_backward_apply_as(m, n0, n1, from_z, true);
}
