#include "pretext/pretext.h"
#include "pretext/rotate.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { H = 5, W = 5, C = 3 };

static void fill(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + i / 11);
}

/* ---- The turns themselves ----------------------------------------------------- */

/* What numpy's rot90(src, quarter) holds at (i, j), by its definition. */
static uint8_t turned(const uint8_t *src, int h, int w, int c, int quarter, int i, int j, int k)
{
    switch (quarter) {
    case 0: return src[(i * w + j) * c + k];
    case 1: return src[(j * w + w - 1 - i) * c + k];
    case 2: return src[((h - 1 - i) * w + w - 1 - j) * c + k];
    default: return src[((h - 1 - j) * w + i) * c + k];
    }
}

static void check_turns(int h, int w, int c)
{
    size_t n = (size_t)(h * w * c);
    uint8_t *src = malloc(n), *dst = malloc(n);

    fill(src, n);
    for (int q = 0; q < 4; q++) {
        int rows = q & 1 ? w : h, cols = q & 1 ? h : w;
        rotate_quarter(dst, src, h, w, c, q);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < cols; j++)
                for (int k = 0; k < c; k++)
                    cr_assert_eq(dst[(i * cols + j) * c + k], turned(src, h, w, c, q, i, j, k),
                                 "%dx%dx%d, quarter %d, at %d,%d,%d", h, w, c, q, i, j, k);
    }
    free(src);
    free(dst);
}

Test(rotate, index_formulas)
{
    check_turns(1, 1, 1);
    check_turns(1, 1, 3);
    check_turns(2, 2, 3);
    check_turns(5, 5, 3);
    check_turns(28, 28, 1);
    check_turns(3, 7, 3);
    check_turns(1, 9, 1);
    check_turns(9, 1, 4);
}

Test(rotate, four_quarters_are_the_identity)
{
    uint8_t a[H * W * C], b[H * W * C], c[H * W * C];

    fill(a, sizeof a);
    memcpy(b, a, sizeof a);
    for (int i = 0; i < 4; i++) {
        rotate_quarter(c, b, H, W, C, 1);
        memcpy(b, c, sizeof b);
        if (i == 0)
            cr_assert(memcmp(a, b, sizeof a) != 0);
    }
    cr_assert_arr_eq(a, b, sizeof a);
    for (int q = 0; q < 4; q++) { /* turned and turned back */
        rotate_quarter(b, a, H, W, C, q);
        rotate_quarter(c, b, H, W, C, (4 - q) % 4);
        cr_assert_arr_eq(a, c, sizeof a);
    }
}

/* ---- Operands ------------------------------------------------------------------ */

Test(pretext, parameters_and_defaults)
{
    static const struct { const char *operand; int angles; } good[] = {
        {"rotate", 4}, {"rotate:4", 4}, {"rotate:2", 2}, {"rotate:angles=2", 2}, {"rotate:angles=4", 4},
    };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        pretext p;
        err e = {0};
        cr_assert_eq(pretext_init(&p, good[i].operand, &e), 0, "%s: %s", good[i].operand, e.msg);
        cr_assert_eq(value_get_int(p.params, "angles", 0), good[i].angles);
        pretext_clear(&p);
    }
}

Test(pretext, bad_operands)
{
    static const struct { const char *operand, *says; } bad[] = {
        {"rotat", "did you mean 'rotate'"},
        {"knit", "unknown task 'knit'"},
        {"", "no name"},
        {"rotate:", "empty value"},
        {"rotate:angles=3", "may be 2|4"},
        {"rotate:angles=02", "may be 2|4"},
        {"rotate:angle=4", "no parameter 'angle'"},
        {"rotate:4,4", "no place for '4'"},
        {"rotate:4,angles=4", "given twice"},
        {"labels:4", "labels has no parameters"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pretext p;
        err e = {0};
        cr_expect_eq(pretext_init(&p, bad[i].operand, &e), -1, "'%s' was accepted", bad[i].operand);
        cr_expect_eq(e.kind, ERR_USAGE);
        cr_expect(strstr(e.msg, bad[i].says), "'%s': %s", bad[i].operand, e.msg);
    }
}

Test(pretext, the_table_is_sound)
{
    for (const pretext_task *const *t = pretext_tasks; *t; t++) {
        cr_expect((*t)->name && (*t)->help && (*t)->declare && (*t)->sample);
        for (const pretext_task *const *u = t + 1; *u; u++)
            cr_expect(strcmp((*t)->name, (*u)->name) != 0, "%s is there twice", (*t)->name);
        bool needs = false;
        for (const pretext_param *q = (*t)->params; q && q->name; q++) {
            cr_expect(q->help, "%s: %s has no help", (*t)->name, q->name);
            needs |= !q->standard;
        }
        /* The defaults are within the limits. */
        pretext p;
        err e = {0};
        if (!needs && pretext_init(&p, (*t)->name, &e) == 0)
            pretext_clear(&p);
        cr_expect_eq(e.kind, ERR_NONE, "%s: %s", (*t)->name, e.msg);
    }
}

/* ---- A whole sample ------------------------------------------------------------- */

typedef struct made {
    header h;
    frame in, out;
    sample s, x;
} made;

static void begin(made *m, const char *kind, const char *name, int ndim, const int64_t *shape)
{
    err e = {0};

    *m = (made){0};
    cr_assert_eq(header_init(&m->h, kind, &e), 0);
    cr_assert_eq(header_set_field(&m->h, name, "|u1", ndim, shape, &e), 0, "%s", e.msg);
    frame_begin(&m->in, FRAME_SAMPLE);
    frame_str(&m->in, "key", "a/b.png", 7);
    frame_int(&m->in, "index", 3);
    frame_int(&m->in, "label", 1);
    uint8_t *p = frame_tensor(&m->in, name, DT_U1, ndim, shape);
    cr_assert(p);
    size_t n = 1;
    for (int i = 0; i < ndim; i++)
        n *= (size_t)shape[i];
    fill(p, n);
    frame_int(&m->in, "stranger", 42);
    cr_assert_eq(frame_end(&m->in, &e), 0);
    cr_assert_eq(frame_sample(&m->in, &m->s, &e), 0);
}

static void classes(made *m, int n)
{
    m->h.classes = value_array();
    for (int i = 0; i < n; i++)
        value_push(m->h.classes, value_str((const char *[]){"cat", "dog", "ship"}[i]));
}

/* Run one task over the sample; -1 with e set, or 0 with m->x parsed. */
static int apply(made *m, const char *operand, bool keep, err *e)
{
    pretext p;
    int rc;

    cr_assert_eq(pretext_init(&p, operand, e), 0, "%s", e->msg);
    rc = pretext_declare(&p, &m->h, 0, keep, 1, e);
    if (rc == 0) {
        frame_begin(&m->out, FRAME_SAMPLE);
        rc = pretext_sample(&p, &m->s, &m->out, keep, 0, e);
    }
    if (rc == 0)
        rc = frame_end(&m->out, e) || frame_sample(&m->out, &m->x, e) ? -1 : 0;
    pretext_clear(&p);
    return rc;
}

static void end(made *m)
{
    frame_free(&m->in);
    frame_free(&m->out);
    header_clear(&m->h);
}

static int32_t target(const made *m, int i)
{
    err e = {0};
    const tensor *t = sample_tensor(&m->x, "target", DT_I4, 1, &e);
    int32_t v;

    cr_assert(t && i < t->shape[0], "%s", e.msg);
    memcpy(&v, t->data + 4 * i, 4);
    return v;
}

Test(pretext, rotate_an_image)
{
    made m;
    err e = {0};
    uint8_t want[H * W * C];

    begin(&m, KIND_IMAGES, "image", 3, (int64_t[]){H, W, C});
    cr_assert_eq(apply(&m, "rotate", false, &e), 0, "%s", e.msg);
    const tensor *src = sample_tensor(&m.s, "image", DT_U1, 3, &e), *t = sample_tensor(&m.x, "input", DT_U1, 4, &e);
    cr_assert(t);
    cr_assert_arr_eq(t->shape, ((int64_t[]){4, H, W, C}), 4 * sizeof *t->shape);
    for (int q = 0; q < 4; q++) {
        rotate_quarter(want, src->data, H, W, C, q);
        cr_assert_arr_eq(t->data + q * H * W * C, want, sizeof want);
        cr_assert_eq(target(&m, q), q);
    }
    cr_assert_null(sample_find(&m.x, "image"));
    cr_assert_eq(sample_int(&m.x, "stranger", 0), 42);
    cr_assert_eq(sample_int(&m.x, "index", 0), 3);

    cr_assert_str_eq(m.h.kind, KIND_EXAMPLES);
    cr_assert_str_eq(value_get_str(m.h.objective, "name", ""), "classify");
    cr_assert_str_eq(value_get_str(m.h.objective, "task", ""), "rotate");
    cr_assert_eq(value_get_int(m.h.objective, "classes", 0), 4);
    cr_assert_str_eq(value_get_str(m.h.input_transform, "space", ""), "rgb");
    cr_assert_str_eq(value_get_str(m.h.input_transform, "normalize", ""), "imagenet");
    dtype type;
    int64_t shape[TENSOR_MAX_DIMS];
    cr_assert_eq(header_field(&m.h, "input", &type, shape), 4);
    cr_assert_arr_eq(shape, ((int64_t[]){4, H, W, C}), 4 * sizeof *shape);
    cr_assert_eq(header_field(&m.h, "target", &type, shape), 1);
    cr_assert_eq(header_field(&m.h, "image", &type, shape), -1);
    end(&m);
}

Test(pretext, rotate_views)
{
    made m;
    err e = {0};
    uint8_t want[H * W];

    begin(&m, KIND_VIEWS, "views", 4, (int64_t[]){2, H, W, 1});
    cr_assert_eq(apply(&m, "rotate", true, &e), 0, "%s", e.msg);
    const tensor *src = sample_tensor(&m.x, "views", DT_U1, 4, &e), *t = sample_tensor(&m.x, "input", DT_U1, 4, &e);
    cr_assert(src && t, "%s", e.msg);
    cr_assert_eq(t->shape[0], 8);
    for (int k = 0; k < 8; k++) {
        rotate_quarter(want, src->data + k / 4 * H * W, H, W, 1, k % 4);
        cr_assert_arr_eq(t->data + k * H * W, want, sizeof want);
        cr_assert_eq(target(&m, k), k % 4);
    }
    cr_assert_str_eq(value_get_str(m.h.input_transform, "space", ""), "gray");
    end(&m);
}

Test(pretext, two_angles_take_any_shape)
{
    made m;
    err e = {0};
    uint8_t want[2 * 7 * C];

    begin(&m, KIND_IMAGES, "image", 3, (int64_t[]){2, 7, C});
    cr_assert_eq(apply(&m, "rotate:2", false, &e), 0, "%s", e.msg);
    const tensor *src = sample_tensor(&m.s, "image", DT_U1, 3, &e), *t = sample_tensor(&m.x, "input", DT_U1, 4, &e);
    rotate_quarter(want, src->data, 2, 7, C, 2);
    cr_assert_arr_eq(t->data, src->data, sizeof want);
    cr_assert_arr_eq(t->data + sizeof want, want, sizeof want);
    cr_assert_eq(target(&m, 1), 1);
    cr_assert_eq(value_get_int(m.h.objective, "classes", 0), 2);
    end(&m);
}

Test(pretext, four_angles_need_a_square)
{
    made m;
    err e = {0};

    begin(&m, KIND_IMAGES, "image", 3, (int64_t[]){2, 7, C});
    cr_assert_eq(apply(&m, "rotate", false, &e), -1);
    cr_assert_eq(e.kind, ERR_INPUT);
    cr_assert(strstr(e.msg, "7x2 pixels"), "%s", e.msg);
    end(&m);
}

Test(pretext, labels)
{
    made m;
    err e = {0};

    begin(&m, KIND_IMAGES, "image", 3, (int64_t[]){2, 7, C});
    classes(&m, 3);
    cr_assert_eq(apply(&m, "labels", false, &e), 0, "%s", e.msg);
    const tensor *src = sample_tensor(&m.s, "image", DT_U1, 3, &e), *t = sample_tensor(&m.x, "input", DT_U1, 4, &e);
    cr_assert_eq(t->shape[0], 1);
    cr_assert_arr_eq(t->data, src->data, src->bytes);
    cr_assert_eq(target(&m, 0), 1);
    cr_assert_eq(value_get_int(m.h.objective, "classes", 0), 3);
    end(&m);
}

Test(pretext, labels_without_classes_or_out_of_range)
{
    made m;
    err e = {0};

    begin(&m, KIND_IMAGES, "image", 3, (int64_t[]){2, 7, C});
    cr_assert_eq(apply(&m, "labels", false, &e), -1);
    cr_assert(strstr(e.msg, "no classes"), "%s", e.msg);
    classes(&m, 1);
    cr_assert_eq(apply(&m, "labels", false, &e), -1);
    cr_assert(strstr(e.msg, "0 to 0"), "%s", e.msg);
    cr_assert_eq(e.kind, ERR_INPUT);
    end(&m);
}

Test(pretext, wrong_kind_and_missing_fields)
{
    made m;
    err e = {0};

    begin(&m, KIND_EXAMPLES, "image", 3, (int64_t[]){2, 2, C});
    cr_assert_eq(apply(&m, "rotate", false, &e), -1);
    cr_assert(strstr(e.msg, "examples") && strstr(e.msg, "images or views"), "%s", e.msg);
    end(&m);
    begin(&m, KIND_IMAGES, "picture", 3, (int64_t[]){2, 2, C});
    cr_assert_eq(apply(&m, "rotate", false, &e), -1);
    cr_assert(strstr(e.msg, "'image'"), "%s", e.msg);
    end(&m);
}

Test(pretext, random_decisions_are_keyed)
{
    made m;
    err e = {0};
    pretext p;
    uint64_t seen[3];

    begin(&m, KIND_IMAGES, "image", 3, (int64_t[]){H, W, C});
    cr_assert_eq(pretext_init(&p, "rotate", &e), 0);
    cr_assert_eq(pretext_declare(&p, &m.h, 7, true, 1, &e), 0, "%s", e.msg);
    for (int i = 0; i < 3; i++) {
        rng r = pretext_rng(&p, &m.s, i / 2); /* views 0, 0, 1 */
        seen[i] = rng_u64(&r);
    }
    cr_assert_eq(seen[0], seen[1]);
    cr_assert_neq(seen[0], seen[2]);
    pretext_clear(&p);
    end(&m);
}
