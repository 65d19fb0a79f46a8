/*
 * Stride 2 by Winograd: polyphase F(4x4). In one dimension the four outputs
 *
 *     y_j = w0 x[2j - 1] + w1 x[2j] + w2 x[2j + 1],   j = 0..3
 *
 * are a convolution of two taps over the odd inputs o_j = x[2j - 1], which
 * Winograd's F(4, 2) does in 5 products, and one of a single tap over the even
 * e_j = x[2j], 4 products: in two dimensions 81 for 16 outputs, where the direct
 * way takes 144 (Liu et al., "Efficient Winograd-based convolution for strided
 * filters", and older: polyphase decomposition of filter banks).
 *
 * F(4, 2) is Toom-Cook for the points 1/2, -1/2, 1, -1 and infinity; see
 * winograd.h for what a point makes of the rows of A^T, G and B^T. Rounding is
 * no worse than the direct sum's.
 *
 * Elements 0..35 are (row, column), each 0..4 a product of the odd inputs and 5
 * the even ones. A 5 in the row or the column stands for 4 products (5, 5: for
 * 16) with the same weights, which are so many times the pixels of one gemm.
 * Odd-odd elements come first in memory, each [blocks][pitch][L]; then (row, 5),
 * then (5, column), each [blocks][4 pitch][L]; then (5, 5) [blocks][16 pitch][L].
 */

/* B^T: 5 -> 5 */
INLINE void polyphase_bt(const vec d[5], vec o[5])
{
    vec p = d[3] - d[1], q = 0.5f * (d[2] - d[0]), r = d[3] - 0.25f * d[1], s = d[2] - 0.25f * d[0];

    o[0] = p + q;
    o[1] = p - q;
    o[2] = r + s;
    o[3] = r - s;
    o[4] = d[4] + (0.25f * d[0] - 1.25f * d[2]);
}

/* A^T: 5 -> 4 */
INLINE void polyphase_at(const vec m[5], vec o[4])
{
    vec a = m[0] + m[1], b = m[0] - m[1], c = m[2] + m[3], d = m[2] - m[3];

    o[0] = a + c;
    o[1] = 0.5f * b + d;
    o[2] = 0.25f * a + c;
    o[3] = m[4] + (0.125f * b + d);
}

/* A: 4 -> 5 */
INLINE void polyphase_a(const vec y[4], vec o[5])
{
    vec p = y[0] + 0.25f * y[2], q = 0.5f * y[1] + 0.125f * y[3], r = y[0] + y[2], s = y[1] + y[3];

    o[0] = p + q;
    o[1] = p - q;
    o[2] = r + s;
    o[3] = r - s;
    o[4] = y[3];
}

/* G of w0 and w2, and w1: 3 -> 6 */
INLINE void polyphase_g(const vec w[3], vec o[6])
{
    vec p = (4.0f / 3) * w[0], q = (2.0f / 3) * w[0], r = (2.0f / 3) * w[2];

    o[0] = -p - r;
    o[1] = p - r;
    o[2] = r + q;
    o[3] = r - q;
    o[4] = w[2];
    o[5] = w[1];
}

/* G^T: 6 -> 3 */
INLINE void polyphase_gt(const vec m[6], vec o[3])
{
    o[0] = (4.0f / 3) * (m[1] - m[0]) + (2.0f / 3) * (m[2] - m[3]);
    o[1] = m[5];
    o[2] = m[4] + (2.0f / 3) * ((m[2] + m[3]) - (m[0] + m[1]));
}

/* Of tile t and channel block b: the first of element (r, s)'s vectors; the next are `pitch` vectors apart. */
INLINE float *polyphase_at_element(const winograd_args *w, int b, int t, int r, int s)
{
    float *to = w->tiles + (size_t)t * LANES;
    size_t plane = (size_t)w->pitch * LANES;

    if (r < 5 && s < 5)
        return to + (r * 5 + s) * w->element + b * plane;
    to += 25 * w->element;
    if (s < 5)
        return to + (5 + s) * w->element4 + b * 4 * plane;
    return to + (r < 5 ? r : 10) * w->element4 + b * (r < 5 ? 4 : 16) * plane;
}

/* What a map's rows or columns are to a tile: o_j at odd + j step, e_j at even + j step. */
typedef struct phases {
    int odd, even, step;
} phases;

INLINE int phase_index(phases p, int i)
{
    return i < 5 ? p.odd + i * p.step : p.even + (i - 5) * p.step;
}

/* The 9 x 9 values of tile t, transformed in both directions. Rows 0..4 are odd, 5..8 even; columns alike. */
INLINE void polyphase_transform(const winograd_args *w, const float *map, phases y, phases x, int b, int t, bool inside,
                                bool pre, vec scale, vec shift)
{
    size_t plane = (size_t)w->pitch * LANES;
    vec rows[5][9], col[5], o[5];

    for (int i = 0; i < 9; i++) {
        vec even[4];
        UNROLL for (int j = 0; j < 5; j++)
            col[j] = winograd_read(w, map, phase_index(y, i), phase_index(x, j), inside, pre, scale, shift);
        UNROLL for (int j = 0; j < 4; j++)
            even[j] = winograd_read(w, map, phase_index(y, i), phase_index(x, j + 5), inside, pre, scale, shift);
        polyphase_bt(col, o);
        if (i < 5) {
            UNROLL for (int j = 0; j < 5; j++)
                rows[i][j] = o[j];
            UNROLL for (int j = 0; j < 4; j++)
                rows[i][5 + j] = even[j];
            continue;
        }
        UNROLL for (int j = 0; j < 5; j++)
            store(polyphase_at_element(w, b, t, 5, j) + (i - 5) * plane, o[j]);
        float *to = polyphase_at_element(w, b, t, 5, 5) + (i - 5) * 4 * plane;
        UNROLL for (int j = 0; j < 4; j++)
            store(to + j * plane, even[j]);
    }
    UNROLL for (int j = 0; j < 9; j++) {
        UNROLL for (int i = 0; i < 5; i++)
            col[i] = rows[i][j];
        polyphase_bt(col, o);
        UNROLL for (int i = 0; i < 5; i++)
            store(j < 5 ? polyphase_at_element(w, b, t, i, j) : polyphase_at_element(w, b, t, i, 5) + (j - 5) * plane, o[i]);
    }
}

/* first: the map's row or column of a tile's output; the forward input, or dy for the gradient of the data. */
INLINE phases polyphase_phases(int first, bool forward)
{
    return forward ? (phases){2 * first - 1, 2 * first, 2} : (phases){first, first, 1};
}

INLINE void polyphase_input_as(const winograd_args *w, const float *src, int64_t first, int count, bool forward, bool pre)
{
    size_t plane = (size_t)w->H * w->W * LANES;
    int reach = forward ? 9 : 5;

    for (int cb = 0; cb < w->blocks; cb++) {
        vec a = {0}, b = {0};
        if (pre) {
            a = load(w->pre.a + cb * LANES);
            b = load(w->pre.b + cb * LANES);
        }
        for (int t = 0; t < count; t++) {
            tile_at at = winograd_tile_of(first + t, w->down, w->across);
            const float *map = src + ((size_t)at.n * w->map_blocks + cb) * plane;
            phases y = polyphase_phases(at.y, forward), x = polyphase_phases(at.x, forward);
            if (y.odd >= 0 && x.odd >= 0 && y.odd + reach <= w->H && x.odd + reach <= w->W)
                polyphase_transform(w, map, y, x, cb, t, true, pre, a, b);
            else
                polyphase_transform(w, map, y, x, cb, t, false, pre, a, b);
        }
    }
}

static void polyphase_input(const winograd_args *w, const float *src, int64_t first, int count)
{
    if (w->pre.a)
        polyphase_input_as(w, src, first, count, true, true);
    else
        polyphase_input_as(w, src, first, count, true, false);
}

static void polyphase_data_input(const winograd_args *w, const float *src, int64_t first, int count)
{
    polyphase_input_as(w, src, first, count, false, false);
}

/* Of output gradients: A dy A^T for the odd products, dy itself for the even. */
static void polyphase_gradient(const winograd_args *w, const float *src, int64_t first, int count)
{
    size_t map_plane = (size_t)w->H * w->W * LANES, plane = (size_t)w->pitch * LANES;
    vec zero = {0};

    for (int kb = 0; kb < w->blocks; kb++)
        for (int t = 0; t < count; t++) {
            tile_at at = winograd_tile_of(first + t, w->down, w->across);
            const float *map = src + ((size_t)at.n * w->map_blocks + kb) * map_plane;
            bool inside = at.y + 4 <= w->H && at.x + 4 <= w->W;
            vec d[4][9], col[4], o[5];

            UNROLL for (int i = 0; i < 4; i++) {
                UNROLL for (int j = 0; j < 4; j++)
                    d[i][5 + j] = winograd_read(w, map, at.y + i, at.x + j, inside, false, zero, zero);
                polyphase_a(d[i] + 5, d[i]);
            }
            UNROLL for (int j = 0; j < 9; j++) {
                float *even = j < 5 ? polyphase_at_element(w, kb, t, 5, j) : polyphase_at_element(w, kb, t, 5, 5) + (j - 5) * plane;
                UNROLL for (int i = 0; i < 4; i++) {
                    col[i] = d[i][j];
                    store(even + i * (j < 5 ? 1 : 4) * plane, col[i]);
                }
                polyphase_a(col, o);
                UNROLL for (int i = 0; i < 5; i++)
                    store(j < 5 ? polyphase_at_element(w, kb, t, i, j) : polyphase_at_element(w, kb, t, i, 5) + (j - 5) * plane, o[i]);
            }
        }
}

/* A^T of the odd products along a row of elements, and the even ones, for tile t. r 5: the row `sub` of the even inputs. */
INLINE void polyphase_row(const winograd_args *w, int b, int t, int r, int sub, vec odd[4], vec even[4])
{
    size_t plane = (size_t)w->pitch * LANES;
    vec m[5];

    UNROLL for (int s = 0; s < 5; s++)
        m[s] = load(polyphase_at_element(w, b, t, r, s) + sub * plane);
    polyphase_at(m, odd);
    const float *from = polyphase_at_element(w, b, t, r, 5) + sub * 4 * plane;
    UNROLL for (int j = 0; j < 4; j++)
        even[j] = load(from + j * plane);
}

/* From products to the output map: the odd and the even parts' sum, with the epilogue. */
static void polyphase_output(const winograd_args *w, int64_t first, int count)
{
    for (int kb = 0; kb < w->blocks; kb++) {
        vec bias = w->bias ? load(w->bias + kb * LANES) : (vec){0};
        winograd_sums s = {0};
        for (int t = 0; t < count; t++) {
            vec z[5][4], col[5], o[4], y[4][4], odd[4], even[4];

            UNROLL for (int r = 0; r < 5; r++) {
                polyphase_row(w, kb, t, r, 0, odd, even);
                UNROLL for (int j = 0; j < 4; j++)
                    z[r][j] = odd[j] + even[j];
            }
            UNROLL for (int j = 0; j < 4; j++) {
                UNROLL for (int r = 0; r < 5; r++)
                    col[r] = z[r][j];
                polyphase_at(col, o);
                UNROLL for (int i = 0; i < 4; i++)
                    y[i][j] = o[i];
            }
            UNROLL for (int i = 0; i < 4; i++) {
                polyphase_row(w, kb, t, 5, i, odd, even);
                UNROLL for (int j = 0; j < 4; j++)
                    y[i][j] += odd[j] + even[j];
            }
            winograd_write(w, kb, winograd_tile_of(first + t, w->down, w->across), y, bias, &s);
        }
        if (w->stats)
            winograd_store_sums(w->stats + (size_t)kb * STAT_ROWS * LANES, &s);
    }
    if (w->stream)
        stream_end();
}

/* Row y of dx, columns x, x + 2... */
INLINE void polyphase_write_row(const winograd_args *w, float *map, const float *add, int y, int x, const vec v[4])
{
    if (y >= w->H)
        return;
    UNROLL for (int j = 0; j < 4; j++) {
        if (x + 2 * j >= w->W)
            return;
        size_t at = ((size_t)y * w->W + x + 2 * j) * LANES;
        vec sum = add ? v[j] + load(add + at) : v[j];
        if (w->stream && LANES == 16) /* whole cache lines */
            stream(map + at, sum);
        else
            store(map + at, sum);
    }
}

/* From products to the input's gradient: the odd pixels 2j + 1 have the two taps, the even 2j the single one. */
static void polyphase_data_output(const winograd_args *w, int64_t first, int count)
{
    size_t plane = (size_t)w->H * w->W * LANES;

    for (int cb = 0; cb < w->blocks; cb++)
        for (int t = 0; t < count; t++) {
            tile_at at = winograd_tile_of(first + t, w->down, w->across);
            size_t base = ((size_t)at.n * w->map_blocks + cb) * plane;
            float *map = w->out + base;
            const float *add = w->add ? w->add + base : NULL;
            vec odd[5][4], even[5][4], col[5], o[4], p[4][4];
            int y = 2 * at.y, x = 2 * at.x;

            UNROLL for (int r = 0; r < 5; r++)
                polyphase_row(w, cb, t, r, 0, odd[r], even[r]);
            UNROLL for (int e = 0; e < 2; e++) {
                UNROLL for (int j = 0; j < 4; j++) {
                    UNROLL for (int r = 0; r < 5; r++)
                        col[r] = e ? even[r][j] : odd[r][j];
                    polyphase_at(col, o);
                    UNROLL for (int i = 0; i < 4; i++)
                        p[i][j] = o[i];
                }
                UNROLL for (int i = 0; i < 4; i++)
                    polyphase_write_row(w, map, add, y + 2 * i + 1, x + !e, p[i]);
            }
            UNROLL for (int i = 0; i < 4; i++) {
                polyphase_row(w, cb, t, 5, i, odd[0], even[0]);
                polyphase_write_row(w, map, add, y + 2 * i, x + 1, odd[0]);
                polyphase_write_row(w, map, add, y + 2 * i, x, even[0]);
            }
        }
    if (w->stream)
        stream_end();
}

static void polyphase_weights(const float *w, float *out, size_t element)
{
    transform_weights(w, out, element, polyphase_g);
}

static void polyphase_weights_transposed(const float *w, float *out, size_t element)
{
    transform_weights_transposed(w, out, element, polyphase_g);
}

static void polyphase_weights_gradient(const float *m, float *dw, size_t element)
{
    transform_weights_gradient(m, dw, element, polyphase_gt);
}
