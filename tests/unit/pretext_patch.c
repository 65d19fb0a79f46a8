/* The geometry of puzzles and pairs: every pixel is traced to where it was in the image. */
#include "pretext/patch.h"
#include "pretext/permutations.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 48, C = 3 };

typedef struct made {
    header h;
    frame in, out;
    sample s, x;
    uint8_t *image;
    pretext p;
} made;

/* An image whose first two channels are the coordinates; the third is a hash of them. */
static uint8_t value_at(int y, int x, int c)
{
    return (uint8_t)(c == 0 ? y : c == 1 ? x : y * 31 + x * 7);
}

static void begin(made *m, int side, int channels, int index)
{
    int64_t shape[3] = {side, side, channels};
    err e = {0};

    *m = (made){0};
    cr_assert_eq(header_init(&m->h, KIND_IMAGES, &e), 0);
    cr_assert_eq(header_set_field(&m->h, "image", "|u1", 3, shape, &e), 0);
    frame_begin(&m->in, FRAME_SAMPLE);
    frame_str(&m->in, "key", "a", 1);
    frame_int(&m->in, "index", index);
    uint8_t *p = frame_tensor(&m->in, "image", DT_U1, 3, shape);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            for (int c = 0; c < channels; c++)
                *p++ = value_at(y, x, c);
    cr_assert_eq(frame_end(&m->in, &e), 0);
    cr_assert_eq(frame_sample(&m->in, &m->s, &e), 0);
}

static int declare(made *m, const char *operand, err *e)
{
    cr_assert_eq(pretext_init(&m->p, operand, e), 0, "%s", e->msg);
    return pretext_declare(&m->p, &m->h, 0, false, 1, e);
}

static void make(made *m)
{
    err e = {0};

    frame_begin(&m->out, FRAME_SAMPLE);
    cr_assert_eq(pretext_sample(&m->p, &m->s, &m->out, false, 0, &e), 0, "%s", e.msg);
    cr_assert_eq(frame_end(&m->out, &e), 0);
    cr_assert_eq(frame_sample(&m->out, &m->x, &e), 0);
}

static void end(made *m)
{
    pretext_clear(&m->p);
    frame_free(&m->in);
    frame_free(&m->out);
    header_clear(&m->h);
}

static int32_t target(const made *m, int i)
{
    err e = {0};
    const tensor *t = sample_tensor(&m->x, "target", DT_I4, 1, &e);
    int32_t v;

    memcpy(&v, t->data + 4 * i, 4);
    return v;
}

static int place(const made *m, int t, int i)
{
    return (int)value_get(m->h.objective, "places")->child[t]->child[i]->i;
}

/* ---- Permutations ---------------------------------------------------------------- */

static bool is_permutation(const uint8_t *p)
{
    int seen = 0;

    for (int i = 0; i < PERMUTATION; i++)
        seen |= 1 << p[i];
    return seen == (1 << PERMUTATION) - 1;
}

Test(permutations, far_apart_distinct_and_nested)
{
    enum { MANY = 200, FEW = 50 };
    static uint8_t many[MANY][PERMUTATION], few[FEW][PERMUTATION];
    err e = {0};
    int least = PERMUTATION;

    cr_assert_eq(permutations_make(many, MANY, &e), 0);
    cr_assert_eq(permutations_make(few, FEW, &e), 0);
    cr_assert_arr_eq(many, few, sizeof few);
    for (int i = 0; i < MANY; i++) {
        cr_assert(is_permutation(many[i]));
        for (int j = 0; j < i; j++) {
            int d = permutations_distance(many[i], many[j]);
            if (i < 9) /* nine can differ everywhere (a Latin square), and the greedy choice finds them */
                cr_assert_eq(d, PERMUTATION);
            least = d < least ? d : least;
        }
    }
    /* At most 9!/7! = 72 can be 8 apart, at most 9!/6! = 504 can be 7 apart (Frankl and Deza 1977). */
    cr_assert_geq(least, 6, "two of the set differ in %d places only", least);
}

Test(permutations, each_choice_is_the_farthest)
{
    enum { SET = 12 };
    uint8_t set[SET][PERMUTATION], p[PERMUTATION];
    err e = {0};
    rng r = rng_at(1);

    cr_assert_eq(permutations_make(set, SET, &e), 0);
    for (int k = 1; k < SET; k++) {
        int chosen = PERMUTATION;
        for (int j = 0; j < k; j++) {
            int d = permutations_distance(set[k], set[j]);
            chosen = d < chosen ? d : chosen;
        }
        for (int trial = 0; trial < 5000; trial++) {
            uint32_t order[PERMUTATION] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
            int least = PERMUTATION;
            rng_shuffle_u32(&r, order, PERMUTATION);
            for (int i = 0; i < PERMUTATION; i++)
                p[i] = (uint8_t)order[i];
            for (int j = 0; j < k; j++) {
                int d = permutations_distance(p, set[j]);
                least = d < least ? d : least;
            }
            cr_assert_leq(least, chosen);
        }
    }
}

/* ---- Jigsaw ------------------------------------------------------------------------ */

/* Without gap, jitter and colour guards, putting input i at cell places[target][i] gives the image back. */
Test(jigsaw, unshuffling_restores_the_image)
{
    for (int index = 0; index < 20; index++) {
        made m;
        err e = {0};
        uint8_t whole[SIDE][SIDE][C];

        begin(&m, SIDE, C, index);
        cr_assert_eq(declare(&m, "jigsaw:permutations=50,patch=16,shift=0,gray=0", &e), 0, "%s", e.msg);
        make(&m);
        const tensor *t = sample_tensor(&m.x, "input", DT_U1, 4, &e);
        cr_assert(t && t->shape[0] == 9 && t->shape[1] == 16);
        memset(whole, 255, sizeof whole);
        for (int i = 0; i < 9; i++) {
            int cell = place(&m, target(&m, 0), i);
            for (int y = 0; y < 16; y++)
                memcpy(whole[cell / 3 * 16 + y][cell % 3 * 16], t->data + (i * 16 + y) * 16 * C, 16 * C);
        }
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                for (int c = 0; c < C; c++)
                    cr_assert_eq(whole[y][x][c], value_at(y, x, c));
        end(&m);
    }
}

/* With the guards, each patch lies in its cell, every offset occurs, and channels move by `shift` at most. */
Test(jigsaw, gap_jitter_and_shift)
{
    int seen_y = 0, seen_x = 0, moved = 0, orders = 0;

    for (int index = 0; index < 200; index++) {
        made m;
        err e = {0};
        begin(&m, SIDE, C, index);
        cr_assert_eq(declare(&m, "jigsaw:permutations=10,gray=0", &e), 0, "%s", e.msg);
        make(&m);
        const tensor *t = sample_tensor(&m.x, "input", DT_U1, 4, &e);
        cr_assert_eq(t->shape[1], 12); /* 64 of 85 */
        orders |= 1 << target(&m, 0);
        for (int i = 0; i < 9; i++) {
            const uint8_t *p = t->data + i * 12 * 12 * C;
            int cell = place(&m, target(&m, 0), i), top = cell / 3 * 16, left = cell % 3 * 16;
            cr_assert(p[0] >= top && p[0] <= top + 4, "row %d of cell %d", p[0], cell);
            cr_assert(p[1] >= left && p[1] <= left + 4, "column %d of cell %d", p[1], cell);
            seen_y |= 1 << (p[0] - top);
            seen_x |= 1 << (p[1] - left);
            for (int y = 0; y < 12; y++) /* each channel is a patch without breaks */
                for (int x = 0; x < 12; x++) {
                    cr_assert_eq(p[(y * 12 + x) * C], p[0] + y);
                    cr_assert_eq(p[(y * 12 + x) * C + 1], p[1] + x);
                }
            /* Where the third channel was, from its first pixel and the one to its right: */
            bool together = p[2] == value_at(p[0], p[1], 2);
            moved += !together;
        }
        end(&m);
    }
    cr_assert_eq(seen_y, 0x1f);
    cr_assert_eq(seen_x, 0x1f);
    cr_assert_eq(orders, 0x3ff);
    cr_assert(moved > 900 && moved < 1780, "%d of 1800 patches have channels apart", moved);
}

/* Channels move as often at the image's border as inside, or they would tell which patches lay there: 3 of 4 times. */
Test(jigsaw, every_cell_has_room_for_the_shift)
{
    int apart[9] = {0};

    for (int index = 0; index < 200; index++) {
        made m;
        err e = {0};
        begin(&m, SIDE, C, index);
        cr_assert_eq(declare(&m, "jigsaw:permutations=10,gray=0,patch=15", &e), 0, "%s", e.msg);
        make(&m);
        const tensor *t = sample_tensor(&m.x, "input", DT_U1, 4, &e);
        for (int i = 0; i < 9; i++) {
            const uint8_t *p = t->data + i * 15 * 15 * C;
            apart[place(&m, target(&m, 0), i)] += p[2] != value_at(p[0], p[1], 2);
        }
        end(&m);
    }
    for (int cell = 0; cell < 9; cell++)
        cr_assert(apart[cell] > 120 && apart[cell] < 180, "%d of 200 patches of cell %d", apart[cell], cell);
}

Test(jigsaw, guards_can_be_switched_off)
{
    made m;
    err e = {0};

    begin(&m, SIDE, C, 3);
    cr_assert_eq(declare(&m, "jigsaw:jitter=0,shift=0,gray=0,permutations=10", &e), 0, "%s", e.msg);
    make(&m);
    const tensor *t = sample_tensor(&m.x, "input", DT_U1, 4, &e);
    for (int i = 0; i < 9; i++) {
        const uint8_t *p = t->data + i * 12 * 12 * C;
        int cell = place(&m, target(&m, 0), i);
        cr_assert_eq(p[0], cell / 3 * 16 + 2);
        cr_assert_eq(p[1], cell % 3 * 16 + 2);
        cr_assert_eq(p[2], value_at(p[0], p[1], 2));
    }
    end(&m);
    begin(&m, SIDE, C, 3);
    cr_assert_eq(declare(&m, "jigsaw:gray=1,permutations=10", &e), 0, "%s", e.msg);
    make(&m);
    t = sample_tensor(&m.x, "input", DT_U1, 4, &e);
    for (size_t i = 0; i < t->bytes; i += 3)
        cr_assert(t->data[i] == t->data[i + 1] && t->data[i] == t->data[i + 2]);
    end(&m);
}

Test(jigsaw, published_sizes_and_the_header)
{
    made m;
    err e = {0};

    begin(&m, 255, C, 0);
    cr_assert_eq(declare(&m, "jigsaw", &e), 0, "%s", e.msg);
    cr_assert_eq(value_get_int(m.p.params, "patch", 0), 64);
    cr_assert_eq(value_get_int(m.p.params, "shift", 0), 2);
    cr_assert_eq(value_get_int(m.h.objective, "classes", 0), 1000);
    cr_assert_eq(value_get_int(value_get(m.h.objective, "parameters"), "concat", 0), 9);
    cr_assert_eq(value_get(m.h.objective, "places")->n, 1000);
    cr_assert_str_eq(value_get_str(m.h.input_transform, "normalize", ""), "image");
    cr_assert_eq(value_get(m.h.input_transform, "size")->child[0]->i, 255);
    end(&m);
}

Test(jigsaw, small_images_are_refused)
{
    static const struct { const char *operand, *says; int side; } bad[] = {
        {"jigsaw", "below the 8", 24}, {"jigsaw:patch=12", "36x36, not 32x32", 32}, {"context", "below the 8", 16},
        {"context:patch=14", "need images of 37x37", 32},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        made m;
        err e = {0};
        begin(&m, bad[i].side, C, 0);
        cr_assert_eq(declare(&m, bad[i].operand, &e), -1);
        cr_assert_eq(e.kind, ERR_INPUT);
        cr_assert(strstr(e.msg, bad[i].says), "%s", e.msg);
        end(&m);
    }
}

/* ---- Context ------------------------------------------------------------------------- */

static int nearest_step(int d, int reach)
{
    return d > reach / 2 ? 1 : d < -reach / 2 ? -1 : 0;
}

Test(context, the_second_patch_is_where_the_target_says)
{
    enum { PATCH = 12, GAP = 6, JITTER = 1, REACH = PATCH + GAP };
    int seen = 0, apart = 0;

    for (int index = 0; index < 50; index++) {
        made m;
        err e = {0};
        begin(&m, 32, C, index);
        cr_assert_eq(declare(&m, "context:pairs=4,degrade=0,drop=0", &e), 0, "%s", e.msg);
        cr_assert_eq(value_get_int(m.p.params, "patch", 0), PATCH);
        cr_assert_eq(value_get_int(m.p.params, "gap", 0), GAP);
        cr_assert_eq(value_get_int(m.p.params, "jitter", 0), JITTER);
        make(&m);
        const tensor *t = sample_tensor(&m.x, "input", DT_U1, 4, &e);
        cr_assert_eq(t->shape[0], 8);
        for (int k = 0; k < 4; k++) {
            const uint8_t *a = t->data + 2 * k * PATCH * PATCH * C, *b = a + PATCH * PATCH * C;
            int dy = b[0] - a[0], dx = b[1] - a[1], cell = place(&m, target(&m, k), 1);
            cr_assert_eq(nearest_step(dy, REACH), cell / 3 - 1);
            cr_assert_eq(nearest_step(dx, REACH), cell % 3 - 1);
            cr_assert(abs(abs(dy) - REACH * abs(cell / 3 - 1)) <= 2 * JITTER);
            cr_assert(abs(abs(dx) - REACH * abs(cell % 3 - 1)) <= 2 * JITTER);
            cr_assert_neq(cell, 4);
            cr_assert_eq(place(&m, target(&m, k), 0), 4);
            for (int y = 0; y < PATCH; y++)
                for (int x = 0; x < PATCH; x++)
                    for (int c = 0; c < C; c++) {
                        cr_assert_eq(a[(y * PATCH + x) * C + c], value_at(a[0] + y, a[1] + x, c));
                        cr_assert_eq(b[(y * PATCH + x) * C + c], value_at(b[0] + y, b[1] + x, c));
                    }
            seen |= 1 << target(&m, k);
            apart += abs(dy) != REACH * abs(cell / 3 - 1);
        }
        end(&m);
    }
    cr_assert_eq(seen, 0xff);
    cr_assert(apart > 50, "the jitter moved %d pairs", apart);
}

/* A patch is flat in a channel when all its values are close. */
static int spread(const uint8_t *p, int n, int c)
{
    int lo = 255, hi = 0;

    for (int i = 0; i < n; i++) {
        lo = p[3 * i + c] < lo ? p[3 * i + c] : lo;
        hi = p[3 * i + c] > hi ? p[3 * i + c] : hi;
    }
    return hi - lo;
}

Test(context, dropping_leaves_one_channel)
{
    int kept = 0;

    for (int index = 0; index < 30; index++) {
        made m;
        err e = {0};
        begin(&m, 32, C, index);
        cr_assert_eq(declare(&m, "context:drop=1,degrade=0", &e), 0, "%s", e.msg);
        make(&m);
        const tensor *t = sample_tensor(&m.x, "input", DT_U1, 4, &e);
        for (int k = 0; k < 2; k++) {
            const uint8_t *p = t->data + k * 12 * 12 * C;
            int varied = 0;
            for (int c = 0; c < 3; c++) {
                bool varies = spread(p, 144, c) > 10; /* the noise is a level or two each way */
                varied += varies;
                kept |= varies << c;
            }
            cr_assert_eq(varied, 1);
        }
        end(&m);
    }
    cr_assert_eq(kept, 7);
}

/* After the projection green is the mean of red and blue; greys stay, and it is its own square, to the rounding. */
Test(patches, projection_takes_green_against_magenta_away)
{
    rng r = rng_at(5);

    for (int trial = 0; trial < 2000; trial++) {
        uint8_t p[3], once[3];
        for (int k = 0; k < 3; k++)
            p[k] = (uint8_t)(64 + rng_below(&r, 128)); /* nothing is clipped */
        double d = (2.0 * p[1] - p[0] - p[2]) / 6;
        memcpy(once, p, 3);
        patch_project_colour(once, 1, 3);
        for (int k = 0; k < 3; k++)
            cr_assert_float_eq(once[k], p[k] + (k == 1 ? -2 * d : d), 0.5 + 1e-9);
        cr_assert_leq(abs(2 * once[1] - once[0] - once[2]), 2);
        memset(p, once[0], 3);
        patch_project_colour(p, 1, 3);
        cr_assert(p[0] == once[0] && p[1] == once[0] && p[2] == once[0]);
    }
    uint8_t extremes[6] = {0, 0, 255, 255, 0, 255};
    patch_project_colour(extremes, 2, 3); /* 0 - 42.5 is clipped */
    cr_assert_eq(extremes[0], 0);
    cr_assert_eq(extremes[4], 170);
}

Test(context, degrading_blurs_within_its_limits)
{
    rng r = rng_at(3);
    err e = {0};

    for (int trial = 0; trial < 50; trial++) {
        uint8_t p[16 * 16], before[16 * 16];
        for (int i = 0; i < 256; i++)
            before[i] = p[i] = (uint8_t)((i + i / 16) % 2 * 255); /* a checkerboard: any scaling makes it grey */
        cr_assert_eq(patch_degrade(p, 16, 1, 64, &r, &e), 0);
        int changed = 0;
        double sum = 0;
        for (int i = 0; i < 256; i++) {
            changed += p[i] != before[i];
            sum += p[i] / 256.0;
        }
        cr_assert(changed == 0 || changed > 100);
        cr_assert_float_eq(sum, 127.5, 12);
    }
    uint8_t flat[8 * 8 * 3];
    memset(flat, 77, sizeof flat);
    cr_assert_eq(patch_degrade(flat, 8, 3, 16, &r, &e), 0);
    for (size_t i = 0; i < sizeof flat; i++)
        cr_assert_eq(flat[i], 77);
}

/* One channel is enough for both tasks. */
Test(patches, of_one_channel)
{
    for (int k = 0; k < 2; k++) {
        made m;
        err e = {0};
        begin(&m, 32, 1, 5);
        cr_assert_eq(declare(&m, k ? "context:drop=1,gray=1,degrade=1,project=1" : "jigsaw:gray=0,project=1,permutations=8", &e), 0, "%s", e.msg);
        make(&m);
        const tensor *t = sample_tensor(&m.x, "input", DT_U1, 4, &e);
        cr_assert_eq(t->shape[3], 1);
        cr_assert_eq(t->shape[0], k ? 2 : 9);
        cr_assert_eq(t->shape[1], k ? 12 : 8);
        end(&m);
    }
}
