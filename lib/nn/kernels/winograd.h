/*
 * Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, "Fast algorithms
 * for convolutional neural networks", CVPR 2016). With d a 6x6 tile of input, g
 * a 3x3 filter and y the 4x4 output:
 *
 *     y  = A^T [ (G g G^T) . (B^T d B) ] A
 *     dg = G^T [ (A dy A^T) . (B^T d B) ] G
 *
 * 36 multiplications for 16 outputs, where the direct way takes 144. The
 * matrices are the Toom-Cook ones for the points 0, P, -P, Q, -Q and infinity
 * with P = sqrt(1/2), Q = sqrt(2): reciprocal points keep the magnitudes of the
 * transforms alike, and the rounding error several times smaller than the
 * paper's 1 and 2 do (on points: Barabasz et al., "Error analysis and improving
 * the accuracy of Winograd convolution", TOMS 2020). For a point p, a row of A^T
 * is 1, p, p^2, p^3; of G, (1, p, p^2) / N(p); of B^T, the coefficients of
 * prod (x - q) over the other points q, and N(p) its value at p:
 * N(0) = 1, N(P) = -3/2, N(Q) = 6.
 */
#define P_ 0.70710678f
#define Q_ 1.41421356f

/* B^T: 6 -> 6 */
INLINE void winograd_bt(const vec d[6], vec o[6])
{
    vec p = d[4] - 2 * d[2], q = P_ * d[3] - Q_ * d[1], r = d[4] - 0.5f * d[2], s = Q_ * d[3] - P_ * d[1];

    o[0] = d[0] + (d[4] - 2.5f * d[2]);
    o[1] = p + q;
    o[2] = p - q;
    o[3] = r + s;
    o[4] = r - s;
    o[5] = d[1] + (d[5] - 2.5f * d[3]);
}

/* A^T: 6 -> 4 */
INLINE void winograd_at(const vec m[6], vec o[4])
{
    vec a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];

    o[0] = m[0] + (a + c);
    o[1] = P_ * b + Q_ * d;
    o[2] = 0.5f * a + 2 * c;
    o[3] = m[5] + (0.5f * P_ * b + 2 * Q_ * d);
}

/* A: 4 -> 6 */
INLINE void winograd_a(const vec y[4], vec o[6])
{
    vec p = y[0] + 0.5f * y[2], q = P_ * y[1] + 0.5f * P_ * y[3], r = y[0] + 2 * y[2], s = Q_ * y[1] + 2 * Q_ * y[3];

    o[0] = y[0];
    o[1] = p + q;
    o[2] = p - q;
    o[3] = r + s;
    o[4] = r - s;
    o[5] = y[3];
}

/* G: 3 -> 6 */
INLINE void winograd_g(const vec g[3], vec o[6])
{
    vec p = (-2.0f / 3) * g[0] - (1.0f / 3) * g[2], q = (-2.0f / 3 * P_) * g[1];
    vec r = (1.0f / 6) * g[0] + (1.0f / 3) * g[2], s = (1.0f / 6 * Q_) * g[1];

    o[0] = g[0];
    o[1] = p + q;
    o[2] = p - q;
    o[3] = r + s;
    o[4] = r - s;
    o[5] = g[2];
}

/* G^T: 6 -> 3 */
INLINE void winograd_gt(const vec m[6], vec o[3])
{
    vec a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];

    o[0] = m[0] + ((1.0f / 6) * c - (2.0f / 3) * a);
    o[1] = (1.0f / 6 * Q_) * d - (2.0f / 3 * P_) * b;
    o[2] = m[5] + (1.0f / 3) * (c - a);
}

typedef struct tile_at {
    int64_t n;
    int y, x; /* of the tile's first output */
} tile_at;

/* Tile t of maps of `down` by `across` tiles. */
INLINE tile_at winograd_tile_of(int64_t t, int down, int across)
{
    return (tile_at){t / across / down, (int)(t / across % down) * 4, (int)(t % across) * 4};
}

/* To the next tile. */
INLINE void winograd_advance(tile_at *at, int down, int across)
{
    if ((at->x += 4) < 4 * across)
        return;
    at->x = 0;
    if ((at->y += 4) < 4 * down)
        return;
    at->y = 0;
    at->n++;
}

/*
 * Tiles are small pieces of many rows, which the processor's own prefetchers follow badly: what the tile
 * AHEAD places further reads first, `rows` rows of `cols` vectors from (y, x) on, is asked for early.
 */
enum { AHEAD = 2 };

INLINE void winograd_prefetch(const float *map, int W, int y, int x, const int rows, const int cols)
{
    const float *p = map + ((ptrdiff_t)y * W + x) * LANES;

    UNROLL for (int i = 0; i < rows; i++, p += (ptrdiff_t)W * LANES)
        UNROLL for (int j = 0; j < cols; j++)
            if (j * LANES % 16 == 0)
                __builtin_prefetch(p + j * LANES);
}

/* The value at (y, x) of a map, 0 outside; normalised if pre. */
INLINE vec winograd_read(const winograd_args *w, const float *map, int y, int x, bool inside, bool pre, vec a, vec b)
{
    if (!inside && (y < 0 || y >= w->H || x < 0 || x >= w->W))
        return (vec){0};
    const float *p = map + ((ptrdiff_t)y * w->W + x) * LANES;
    return pre ? normalised(p, a, b) : load(p);
}

INLINE void winograd_input_tile(const winograd_args *w, const float *map, int y, int x, float *out, bool inside, bool pre,
                                vec a, vec b)
{
    vec t[6][6], col[6], o[6];

    UNROLL for (int j = 0; j < 6; j++) {
        UNROLL for (int i = 0; i < 6; i++)
            col[i] = winograd_read(w, map, y + i, x + j, inside, pre, a, b);
        winograd_bt(col, o);
        UNROLL for (int i = 0; i < 6; i++)
            t[i][j] = o[i];
    }
    UNROLL for (int i = 0; i < 6; i++) {
        winograd_bt(t[i], o);
        UNROLL for (int j = 0; j < 6; j++)
            store(out + (i * 6 + j) * w->element, o[j]);
    }
}

INLINE void winograd_input_as(const winograd_args *w, const float *src, int64_t first, int count, bool pre)
{
    size_t plane = (size_t)w->H * w->W * LANES;

    for (int cb = 0; cb < w->blocks; cb++) {
        vec a = {0}, b = {0};
        if (pre) {
            a = load(w->pre.a + cb * LANES);
            b = load(w->pre.b + cb * LANES);
        }
        tile_at at = winograd_tile_of(first, w->down, w->across), ahead = winograd_tile_of(first + AHEAD, w->down, w->across);
        for (int t = 0; t < count; t++, winograd_advance(&at, w->down, w->across)) {
            const float *map = src + ((size_t)at.n * w->map_blocks + cb) * plane;
            float *out = w->tiles + ((size_t)cb * w->pitch + t) * LANES;
            int y = at.y - 1, x = at.x - 1;
            winograd_prefetch(src + ((size_t)ahead.n * w->map_blocks + cb) * plane, w->W, ahead.y + 1, ahead.x + 1, 4, 4);
            winograd_advance(&ahead, w->down, w->across);
            if (y >= 0 && x >= 0 && y + 6 <= w->H && x + 6 <= w->W)
                winograd_input_tile(w, map, y, x, out, true, pre, a, b);
            else
                winograd_input_tile(w, map, y, x, out, false, pre, a, b);
        }
    }
}

static void winograd_input(const winograd_args *w, const float *src, int64_t first, int count)
{
    if (w->pre.a)
        winograd_input_as(w, src, first, count, true);
    else
        winograd_input_as(w, src, first, count, false);
}

/* A dy A^T of output gradients. */
static void winograd_gradient(const winograd_args *w, const float *src, int64_t first, int count)
{
    size_t plane = (size_t)w->H * w->W * LANES;
    vec zero = {0};

    for (int kb = 0; kb < w->blocks; kb++) {
        tile_at at = winograd_tile_of(first, w->down, w->across), ahead = winograd_tile_of(first + AHEAD, w->down, w->across);
        for (int k = 0; k < count; k++, winograd_advance(&at, w->down, w->across)) {
            const float *map = src + ((size_t)at.n * w->map_blocks + kb) * plane;
            float *out = w->tiles + ((size_t)kb * w->pitch + k) * LANES;
            winograd_prefetch(src + ((size_t)ahead.n * w->map_blocks + kb) * plane, w->W, ahead.y, ahead.x, 4, 4);
            winograd_advance(&ahead, w->down, w->across);
            bool inside = at.y + 4 <= w->H && at.x + 4 <= w->W;
            vec t[6][4], col[4], o[6];

            UNROLL for (int j = 0; j < 4; j++) {
                UNROLL for (int i = 0; i < 4; i++)
                    col[i] = winograd_read(w, map, at.y + i, at.x + j, inside, false, zero, zero);
                winograd_a(col, o);
                UNROLL for (int i = 0; i < 6; i++)
                    t[i][j] = o[i];
            }
            UNROLL for (int i = 0; i < 6; i++) {
                winograd_a(t[i], o);
                UNROLL for (int j = 0; j < 6; j++)
                    store(out + (i * 6 + j) * w->element, o[j]);
            }
        }
    }
}

/* Statistics of what is written, as gemm's. */
typedef struct winograd_sums {
    vec pivot, sum, squares;
    float count;
} winograd_sums;

INLINE void winograd_store_sums(float *stats, const winograd_sums *s)
{
    store(stats, splat(s->count));
    store(stats + LANES, s->pivot);
    store(stats + 2 * LANES, s->sum);
    store(stats + 3 * LANES, s->squares);
}

/* The epilogue: one tile of outputs, as far as it lies inside the map, of block kb. */
INLINE void winograd_write(const winograd_args *w, int kb, tile_at at, vec y[4][4], vec bias, winograd_sums *s)
{
    size_t base = (((size_t)at.n * w->map_blocks + kb) * w->H * w->W + (size_t)at.y * w->W + at.x) * LANES;
    int rows = w->H - at.y < 4 ? w->H - at.y : 4, cols = w->W - at.x < 4 ? w->W - at.x : 4;

    UNROLL for (int i = 0; i < 4; i++) {
        if (i >= rows)
            break;
        size_t p = base + (size_t)i * w->W * LANES;
        UNROLL for (int j = 0; j < 4; j++) {
            if (j >= cols)
                break;
            vec v = y[i][j] + bias;
            if (w->add)
                v += load(w->add + p + j * LANES);
            if (w->relu)
                v = positive(v);
            if (w->stream)
                stream(w->out + p + j * LANES, v);
            else
                store(w->out + p + j * LANES, v);
            if (w->stats) {
                if (s->count == 0 && i == 0 && j == 0)
                    s->pivot = v;
                vec d = v - s->pivot;
                s->sum += d;
                s->squares += d * d;
            }
        }
    }
    s->count += (float)(rows * cols);
}

/* A^T m A of products, with the epilogue, to the output map. */
static void winograd_output(const winograd_args *w, int64_t first, int count)
{
    size_t plane = (size_t)w->H * w->W * LANES;

    for (int kb = 0; kb < w->blocks; kb++) {
        vec bias = w->bias ? load(w->bias + kb * LANES) : (vec){0};
        winograd_sums s = {0};
        tile_at at = winograd_tile_of(first, w->down, w->across), ahead = winograd_tile_of(first + AHEAD, w->down, w->across);
        for (int k = 0; k < count; k++, winograd_advance(&at, w->down, w->across)) {
            if (w->add)
                winograd_prefetch(w->add + ((size_t)ahead.n * w->map_blocks + kb) * plane, w->W, ahead.y, ahead.x, 4, 4);
            winograd_advance(&ahead, w->down, w->across);
            const float *m = w->tiles + ((size_t)kb * w->pitch + k) * LANES;
            vec t[4][6], col[6], o[4], y[4][4];

            UNROLL for (int j = 0; j < 6; j++) {
                UNROLL for (int i = 0; i < 6; i++)
                    col[i] = load(m + (i * 6 + j) * w->element);
                winograd_at(col, o);
                UNROLL for (int i = 0; i < 4; i++)
                    t[i][j] = o[i];
            }
            UNROLL for (int i = 0; i < 4; i++)
                winograd_at(t[i], y[i]);
            winograd_write(w, kb, at, y, bias, &s);
        }
        if (w->stats)
            winograd_store_sums(w->stats + (size_t)kb * STAT_ROWS * LANES, &s);
    }
    if (w->stream)
        stream_end();
}

/* G g G^T of one [9][L][L] block of weights, to 36 blocks [L][L] at distance `element`. */
INLINE void transform_weights(const float *w, float *out, size_t element, void (*const transform)(const vec[3], vec[6]))
{
    for (int c = 0; c < LANES; c++, w += LANES, out += LANES) {
        vec t[6][3], col[3], o[6];
        UNROLL for (int j = 0; j < 3; j++) {
            UNROLL for (int i = 0; i < 3; i++)
                col[i] = load(w + (i * 3 + j) * LANES * LANES);
            transform(col, o);
            UNROLL for (int i = 0; i < 6; i++)
                t[i][j] = o[i];
        }
        UNROLL for (int i = 0; i < 6; i++) {
            transform(t[i], o);
            UNROLL for (int j = 0; j < 6; j++)
                store(out + (i * 6 + j) * element, o[j]);
        }
    }
}

/* The same for the gradient of the data: transposed, and the taps in reverse order. */
INLINE void transform_weights_transposed(const float *w, float *out, size_t element,
                                         void (*const transform)(const vec[3], vec[6]))
{
    float turned[9 * LANES * LANES] __attribute__((aligned(64)));

    for (int t = 0; t < 9; t++)
        transpose(w + t * LANES * LANES, turned + (8 - t) * LANES * LANES);
    transform_weights(turned, out, element, transform);
}

/* G^T m G of 36 blocks [L][L] at distance `element`, to one [9][L][L] block of the weights' gradient. */
INLINE void transform_weights_gradient(const float *m, float *dw, size_t element,
                                       void (*const transform)(const vec[6], vec[3]))
{
    for (int c = 0; c < LANES; c++, m += LANES, dw += LANES) {
        vec t[3][6], col[6], o[3];
        UNROLL for (int j = 0; j < 6; j++) {
            UNROLL for (int i = 0; i < 6; i++)
                col[i] = load(m + (i * 6 + j) * element);
            transform(col, o);
            UNROLL for (int i = 0; i < 3; i++)
                t[i][j] = o[i];
        }
        UNROLL for (int i = 0; i < 3; i++) {
            transform(t[i], o);
            UNROLL for (int j = 0; j < 3; j++)
                store(dw + (i * 3 + j) * LANES * LANES, o[j]);
        }
    }
}

static void winograd_weights(const float *w, float *out, size_t element)
{
    transform_weights(w, out, element, winograd_g);
}

static void winograd_weights_transposed(const float *w, float *out, size_t element)
{
    transform_weights_transposed(w, out, element, winograd_g);
}

static void winograd_weights_gradient(const float *m, float *dw, size_t element)
{
    transform_weights_gradient(m, dw, element, winograd_gt);
}
