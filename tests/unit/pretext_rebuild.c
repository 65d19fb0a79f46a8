/* Tasks that ask for an image back: holes are where they are said to be, colours come out again, sizes are right. */
#include "base/lab.h"
#include "image/resize.h"
#include "pretext/colours.h"
#include "pretext/mask.h"
#include "pretext/pretext.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 32, C = 3, PIXELS = SIDE * SIDE };

typedef struct made {
    header h;
    frame in, out;
    sample s, x;
    pretext p;
    uint8_t image[PIXELS * C];
} made;

/* A smooth colour image. */
static void begin(made *m, int channels, int index)
{
    int64_t shape[3] = {SIDE, SIDE, channels};
    err e = {0};

    *m = (made){0};
    cr_assert_eq(header_init(&m->h, KIND_IMAGES, &e), 0);
    cr_assert_eq(header_set_field(&m->h, "image", "|u1", 3, shape, &e), 0);
    for (int i = 0; i < PIXELS; i++)
        for (int c = 0; c < channels; c++)
            m->image[i * channels + c] = (uint8_t)(c == 0 ? 4 * (i / SIDE) + 60 : c == 1 ? 7 * (i % SIDE) : 255 - 3 * (i / SIDE) - 4 * (i % SIDE));
    frame_begin(&m->in, FRAME_SAMPLE);
    frame_str(&m->in, "key", "a", 1);
    frame_int(&m->in, "index", index);
    memcpy(frame_tensor(&m->in, "image", DT_U1, 3, shape), m->image, (size_t)(PIXELS * channels));
    cr_assert_eq(frame_end(&m->in, &e), 0);
    cr_assert_eq(frame_sample(&m->in, &m->s, &e), 0);
}

static void make(made *m, const char *operand)
{
    err e = {0};

    cr_assert_eq(pretext_init(&m->p, operand, &e), 0, "%s", e.msg);
    cr_assert_eq(pretext_declare(&m->p, &m->h, 0, false, 1, &e), 0, "%s", e.msg);
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

/* ---- Masks --------------------------------------------------------------------------- */

Test(mask, centre)
{
    uint8_t hidden[PIXELS], weight[PIXELS];

    cr_assert_eq(mask_centre(hidden, weight, SIDE, SIDE, 0.5, 2, 10), 12 * 12);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            bool asked = y >= 8 && y < 24 && x >= 8 && x < 24, hole = y >= 10 && y < 22 && x >= 10 && x < 22;
            cr_assert_eq(hidden[y * SIDE + x], hole);
            cr_assert_eq(weight[y * SIDE + x], !asked ? 0 : hole ? 1 : 10);
        }
    cr_assert_eq(mask_centre(hidden, weight, SIDE, SIDE, 0.5, 8, 10), 0); /* the overlap takes all */
    cr_assert_eq(mask_centre(hidden, weight, 4, 4, 0.05, 0, 10), 0);      /* a fifth of a pixel */
}

static int count(const uint8_t *m, int n)
{
    int sum = 0;

    for (int i = 0; i < n; i++)
        sum += m[i];
    return sum;
}

Test(mask, regions_cover_their_area_and_hang_together)
{
    uint8_t hidden[PIXELS], first[PIXELS];
    int place[PIXELS] = {0};
    err e = {0};

    for (int t = 0; t < 200; t++) {
        rng r = rng_at((uint64_t)t);
        int edges = 0;
        cr_assert_eq(mask_regions(hidden, SIDE, SIDE, 0.25, &r, &e), 0);
        cr_assert_eq(count(hidden, PIXELS), PIXELS / 4);
        for (int i = 0; i < PIXELS - 1; i++)
            edges += (i + 1) % SIDE && hidden[i] != hidden[i + 1];
        cr_assert(edges < 250, "%d edges: no regions", edges); /* independent pixels would have 372 */
        for (int i = 0; i < PIXELS; i++)
            place[i] += hidden[i];
        if (t == 0)
            memcpy(first, hidden, sizeof first);
    }
    cr_assert(memcmp(first, hidden, sizeof first) != 0);
    for (int i = 0; i < PIXELS; i++)
        cr_assert(place[i] > 5 && place[i] < 110, "pixel %d is hidden %d times of 200", i, place[i]);
}

Test(mask, blocks_cover_their_area)
{
    uint8_t hidden[PIXELS];

    for (int t = 0; t < 50; t++) {
        rng r = rng_at((uint64_t)t);
        mask_blocks(hidden, SIDE, SIDE, 0.25, 0.25, &r);
        int n = count(hidden, PIXELS);
        cr_assert(n >= PIXELS / 4 && n < PIXELS / 4 + 64);
    }
}

/* ---- Inpainting ------------------------------------------------------------------------ */

Test(inpaint, the_hole_is_hidden_and_nothing_else)
{
    static const char *const operands[] = {"inpaint", "inpaint:regions", "inpaint:blocks", "inpaint:overlap=0,hole=0.25"};

    for (size_t k = 0; k < sizeof operands / sizeof *operands; k++) {
        made m;
        err e = {0};
        begin(&m, C, (int)k);
        make(&m, operands[k]);
        const tensor *input = sample_tensor(&m.x, "input", DT_U1, 4, &e), *target = sample_tensor(&m.x, "target", DT_U1, 4, &e);
        const tensor *weight = sample_tensor(&m.x, "weight", DT_U1, 3, &e);
        cr_assert(input && target && weight, "%s", e.msg);
        cr_assert_arr_eq(target->data, m.image, sizeof m.image);
        int hidden = 0, band = 0;
        for (int i = 0; i < PIXELS; i++) {
            bool same = memcmp(input->data + 3 * i, m.image + 3 * i, 3) == 0;
            bool mean = input->data[3 * i] == 124 && input->data[3 * i + 1] == 116 && input->data[3 * i + 2] == 104;
            cr_assert(same || mean);
            cr_assert(same || weight->data[i] == 1); /* what is hidden is asked */
            cr_assert(weight->data[i] == 0 || weight->data[i] == 1 || weight->data[i] == 10);
            cr_assert(weight->data[i] != 10 || same); /* the band is visible */
            hidden += !same;
            band += weight->data[i] == 10;
        }
        static const int hole[] = {14 * 14, PIXELS / 4, 0, 8 * 8}, bands[] = {16 * 16 - 14 * 14, 0, 0, 0};
        cr_assert(hidden >= hole[k] - 2 && hidden <= (k == 2 ? 320 : hole[k]), "%d pixels are hidden", hidden);
        cr_assert_eq(band, bands[k]);
        end(&m);
    }
}

/* ---- Super-resolution -------------------------------------------------------------------- */

Test(superres, the_input_is_the_image_made_smaller)
{
    for (int enlarge = 0; enlarge < 2; enlarge++)
        for (int factor = 2; factor <= 4; factor += 2) {
            char operand[64];
            made m;
            err e = {0};
            image full = {0}, low = {0};
            begin(&m, C, 0);
            snprintf(operand, sizeof operand, "superres:%d,enlarge=%d", factor, enlarge);
            make(&m, operand);
            const tensor *input = sample_tensor(&m.x, "input", DT_U1, 4, &e), *target = sample_tensor(&m.x, "target", DT_U1, 4, &e);
            cr_assert_arr_eq(target->data, m.image, sizeof m.image);
            cr_assert_eq(image_shape(&full, SIDE, SIDE, C, &e), 0);
            memcpy(full.p, m.image, sizeof m.image);
            cr_assert_eq(image_resize(&full, 0, 0, SIDE, SIDE, SIDE / factor, SIDE / factor, RESAMPLE_BICUBIC, &low, &e), 0);
            if (enlarge)
                cr_assert_eq(image_resize(&low, 0, 0, low.w, low.h, SIDE, SIDE, RESAMPLE_BICUBIC, &full, &e), 0);
            cr_assert_eq(input->shape[1], enlarge ? SIDE : SIDE / factor);
            cr_assert_arr_eq(input->data, enlarge ? full.p : low.p, input->bytes);
            const value *scale = value_get(m.h.objective, "scale");
            cr_assert_eq(scale->child[0]->i, enlarge ? 1 : factor);
            cr_assert_eq(value_get(m.h.input_transform, "size") != NULL, !enlarge);
            image_free(&full);
            image_free(&low);
            end(&m);
        }
}

/* ---- Colour ---------------------------------------------------------------------------------- */

static float f4(const tensor *t, size_t i)
{
    float v;

    memcpy(&v, t->data + 4 * i, 4);
    return v;
}

static int32_t i4(const tensor *t, size_t i)
{
    int32_t v;

    memcpy(&v, t->data + 4 * i, 4);
    return v;
}

/* The mean (a, b) of a square of 4 x 4 pixels. */
static void mean_ab(const made *m, int y, int x, double ab[2])
{
    lab l;

    lab_init(&l);
    ab[0] = ab[1] = 0;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            double v[3];
            lab_from_rgb(&l, m->image + 3 * ((4 * y + i) * SIDE + 4 * x + j), v);
            ab[0] += v[1] / 16;
            ab[1] += v[2] / 16;
        }
}

Test(colorize, shares_are_the_colour_times_its_weight)
{
    made m;
    err e = {0};
    double p[LAB_BINS], w[LAB_BINS];

    begin(&m, C, 0);
    make(&m, "colorize");
    colours_builtin(p);
    colours_weights(p, 0.5, w);
    const tensor *bin = sample_tensor(&m.x, "bin", DT_I4, 4, &e), *share = sample_tensor(&m.x, "share", DT_F4, 4, &e);
    cr_assert(bin && share && bin->shape[1] == 8 && bin->shape[3] == LAB_NEAREST);
    for (int i = 0; i < 64; i++) {
        double ab[2], s[LAB_NEAREST], sum = 0;
        int b[LAB_NEAREST];
        mean_ab(&m, i / 8, i % 8, ab);
        lab_encode(ab[0], ab[1], b, s);
        for (int k = 0; k < LAB_NEAREST; k++) {
            cr_assert_eq(i4(bin, (size_t)(i * LAB_NEAREST + k)), b[k]);
            cr_assert_float_eq(f4(share, (size_t)(i * LAB_NEAREST + k)), s[k] * w[b[0]], 1e-6);
            sum += f4(share, (size_t)(i * LAB_NEAREST + k));
        }
        cr_assert_float_eq(sum, w[b[0]], 1e-5);
    }
    cr_assert_str_eq(value_get_str(m.h.input_transform, "space", ""), "lab-l");
    end(&m);
}

Test(colorize, input_is_gray_of_equal_lightness_and_ab_its_colours)
{
    made m;
    err e = {0};
    lab l;

    lab_init(&l);
    begin(&m, C, 0);
    make(&m, "colorize:target=ab");
    const tensor *input = sample_tensor(&m.x, "input", DT_U1, 4, &e), *target = sample_tensor(&m.x, "target", DT_U1, 4, &e);
    cr_assert(input && target && input->shape[3] == 1 && target->shape[3] == 2);
    for (int i = 0; i < PIXELS; i++)
        cr_assert_eq(input->data[i], lab_gray(&l, m.image + 3 * i));
    for (int i = 0; i < 64; i++) {
        double ab[2];
        mean_ab(&m, i / 8, i % 8, ab);
        cr_assert_float_eq(target->data[2 * i] - 128, ab[0], 0.501);
        cr_assert_float_eq(target->data[2 * i + 1] - 128, ab[1], 0.501);
    }
    end(&m);
}

Test(colorize, gray_images_ask_nothing)
{
    for (int guard = 0; guard < 2; guard++) {
        made m;
        err e = {0};
        int64_t shape[3] = {SIDE, SIDE, C};
        begin(&m, C, 0);
        frame_begin(&m.in, FRAME_SAMPLE);
        frame_str(&m.in, "key", "a", 1);
        uint8_t *p = frame_tensor(&m.in, "image", DT_U1, 3, shape);
        for (int i = 0; i < PIXELS * C; i++)
            p[i] = (uint8_t)(i / 3 % 200);
        cr_assert_eq(frame_end(&m.in, &e), 0);
        cr_assert_eq(frame_sample(&m.in, &m.s, &e), 0);
        make(&m, guard ? "colorize" : "colorize:gray=0");
        const tensor *share = sample_tensor(&m.x, "share", DT_F4, 4, &e);
        double sum = 0;
        for (size_t i = 0; i < share->bytes / 4; i++)
            sum += f4(share, i);
        cr_assert(guard ? sum == 0 : sum > 1);
        end(&m);
    }
}

Test(colorize, images_of_one_channel_are_refused)
{
    made m;
    err e = {0};

    begin(&m, 1, 0);
    cr_assert_eq(pretext_init(&m.p, "colorize", &e), 0);
    cr_assert_eq(pretext_declare(&m.p, &m.h, 0, false, 1, &e), -1);
    cr_assert(strstr(e.msg, "no colours"), "%s", e.msg);
    end(&m);
}

Test(colours, weights_have_mean_one_and_favour_the_rare)
{
    double p[LAB_BINS], w[LAB_BINS], sum = 0, mean = 0;

    colours_builtin(p);
    for (int i = 0; i < LAB_BINS; i++)
        sum += p[i];
    cr_assert_float_eq(sum, 1, 1e-12);
    colours_weights(p, 0.5, w);
    for (int i = 0; i < LAB_BINS; i++) {
        mean += p[i] * w[i];
        for (int j = 0; j < LAB_BINS; j++)
            cr_assert(p[i] <= p[j] || w[i] <= w[j]);
    }
    cr_assert_float_eq(mean, 1, 1e-12);
    colours_weights(p, 1, w);
    for (int i = 0; i < LAB_BINS; i++)
        cr_assert_float_eq(w[i], 1, 1e-12);
}

Test(colours, files)
{
    char path[] = "/tmp/colours.XXXXXX";
    double p[LAB_BINS], q[LAB_BINS];
    buf text = {0};
    err e = {0};
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w+");

    colours_builtin(p);
    cr_assert_eq(colours_write(p, &text, &e), 0);
    fwrite(text.p, 1, text.n, f);
    fflush(f);
    cr_assert_eq(colours_read(path, q, &e), 0, "%s", e.msg);
    for (int i = 0; i < LAB_BINS; i++)
        cr_assert_float_eq(p[i], q[i], 1e-9);
    static const char *const more[] = {"0\t0\t1\n", "1\t0\t1\n", "x\n", "0 0 -1\n"}, *const says[] = {
        "was there before", "no colour of the grid", "line 315", "not negative"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        rewind(f);
        fwrite(text.p, 1, text.n, f);
        fputs(more[i], f);
        fflush(f);
        if (ftruncate(fileno(f), ftell(f)))
            cr_assert(false);
        e = (err){0};
        cr_assert_eq(colours_read(path, q, &e), -1);
        cr_assert_eq(e.kind, ERR_INPUT);
        cr_assert(strstr(e.msg, says[i]) && strstr(e.msg, path), "%s", e.msg);
    }
    rewind(f);
    if (ftruncate(fileno(f), 60))
        cr_assert(false);
    cr_assert_eq(colours_read(path, q, &e), -1);
    fclose(f);
    remove(path);
    cr_assert_eq(colours_read(path, q, &e), -1);
    buf_free(&text);
}
