#include "nn/batch.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const batch_field fields[] = {
    {"target", DT_I4, 1, false},
    {"weight", DT_F4, 1, true},
    {0},
};

typedef struct source {
    int fd, first, count;
    bool declare; /* fixed shapes in the header */
    bool weights, finish, hang;
    int odd; /* the sample that is of another size, or -1 */
} source;

static void put(writer *w, frame *f, const source *s, int i)
{
    int64_t in[4] = {2, 3, 4, 1}, two[1] = {2};
    char key[16];
    err e = {0};

    if (i == s->odd)
        in[1] = 5;
    snprintf(key, sizeof key, "k%d", i);
    frame_begin(f, FRAME_SAMPLE);
    frame_str(f, "key", key, strlen(key));
    frame_int(f, "index", i % 10);
    frame_int(f, "pos", i);
    frame_int(f, "epoch", i / 10);
    frame_str(f, "split", i == 17 ? "test" : "train", i == 17 ? 4 : 5);
    uint8_t *p = frame_tensor(f, "input", DT_U1, 4, in);
    memset(p, i, (size_t)(2 * in[1] * 4));
    int32_t t[2] = {i, i + 1};
    memcpy(frame_tensor(f, "target", DT_I4, 1, two), t, sizeof t);
    if (s->weights) {
        float v[2] = {0.5f, (float)i};
        memcpy(frame_tensor(f, "weight", DT_F4, 1, two), v, sizeof v);
    }
    cr_assert_eq(frame_end(f, &e), 0);
    writer_put(w, f, &e); /* the reader may have gone */
}

static void *write_all(void *arg)
{
    const source *s = arg;
    int64_t in[4] = {2, s->declare ? 3 : -1, s->declare ? 4 : -1, 1}, two[1] = {2};
    header h;
    frame f = {0};
    err e = {0};

    cr_assert_eq(header_init(&h, KIND_EXAMPLES, &e), 0);
    header_set_field(&h, "input", "|u1", 4, in, &e);
    header_set_field(&h, "target", "<i4", 1, two, &e);
    if (s->weights)
        header_set_field(&h, "weight", "<f4", 1, two, &e);
    writer *w = writer_new(s->fd, &h, &e);
    for (int i = s->first; i < s->first + s->count; i++)
        put(w, &f, s, i);
    if (s->finish)
        writer_finish(w, 0, &e);
    else
        writer_flush(w, &e);
    if (!s->hang)
        close(s->fd);
    writer_free(w);
    header_clear(&h);
    frame_free(&f);
    return NULL;
}

typedef struct pipe_line {
    source s;
    int fd;
    pthread_t thread;
    reader *r;
    batch_reader *b;
    err e;
} pipe_line;

static int open_line(pipe_line *p, source s, int size, int64_t skip_to, batch_check *check)
{
    int fd[2];

    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(pipe(fd), 0);
    p->s = s;
    p->s.fd = fd[1];
    p->fd = fd[0];
    p->e = (err){0};
    pthread_create(&p->thread, NULL, write_all, &p->s);
    p->r = reader_new(p->fd, 0, &p->e);
    cr_assert_not_null(p->r, "%s", p->e.msg);
    p->b = batch_reader_new(p->r, p->fd, fields, size, skip_to, &p->e);
    return p->b ? batch_reader_start(p->b, check, NULL, &p->e) : -1;
}

static void close_line(pipe_line *p)
{
    batch_reader_free(p->b);
    reader_free(p->r);
    close(p->fd);
    pthread_join(p->thread, NULL);
    if (p->s.hang)
        close(p->s.fd);
}

static const source sound = {.count = 20, .declare = true, .finish = true, .odd = -1};

Test(batch, whole_batches_and_what_is_left_over)
{
    pipe_line p;
    const batch *b;
    source s = sound;

    s.weights = true;
    cr_assert_eq(open_line(&p, s, 6, 0, NULL), 0, "%s", p.e.msg);
    const batch_shape *sh = batch_reader_shape(p.b);
    cr_assert(sh->P == 2 && sh->H == 3 && sh->W == 4 && sh->C == 1 && sh->type == DT_U1);
    for (int k = 0; k < 3; k++) {
        cr_assert_eq(batch_reader_next(p.b, &b, &p.e), 1);
        cr_assert_eq(b->n, 6);
        cr_assert_eq(b->test, k == 2);
        for (int i = 0; i < 6; i++) {
            int n = 6 * k + i;
            cr_assert_eq(b->pos[i], n);
            cr_assert_eq(b->index[i], n % 10);
            cr_assert_eq(b->epoch[i], n / 10);
            cr_assert_eq(b->input[24 * i + 23], n);
            cr_assert_eq(((int32_t *)b->field[0])[2 * i + 1], n + 1);
            cr_assert_eq(((float *)b->field[1])[2 * i + 1], n);
        }
    }
    cr_assert_eq(batch_reader_next(p.b, &b, &p.e), 0);
    close_line(&p);
}

Test(batch, a_short_stream_is_one_batch)
{
    pipe_line p;
    const batch *b;

    cr_assert_eq(open_line(&p, sound, 64, 0, NULL), 0);
    cr_assert_eq(batch_reader_next(p.b, &b, &p.e), 1);
    cr_assert_eq(b->n, 20);
    cr_assert_null(b->field[1]);
    cr_assert_eq(batch_reader_next(p.b, &b, &p.e), 0);
    close_line(&p);
}

Test(batch, a_resumed_stream_passes_over_what_was_used)
{
    pipe_line p;
    const batch *b;

    cr_assert_eq(open_line(&p, sound, 6, 12, NULL), 0);
    cr_assert_eq(batch_reader_next(p.b, &b, &p.e), 1);
    cr_assert_eq(b->pos[0], 12);
    /* The two samples left over are no batch here, as they were none in the unbroken run. */
    cr_assert_eq(batch_reader_next(p.b, &b, &p.e), 0);
    close_line(&p);
}

Test(batch, a_resumed_stream_must_not_begin_too_late)
{
    pipe_line p;
    const batch *b;
    source s = sound;

    s.first = 13;
    cr_assert_eq(open_line(&p, s, 6, 12, NULL), 0);
    cr_assert_eq(batch_reader_next(p.b, &b, &p.e), -1);
    cr_assert_eq(p.e.kind, ERR_INPUT);
    cr_assert(strstr(p.e.msg, "begins at position 13"), "%s", p.e.msg);
    close_line(&p);
}

Test(batch, the_first_sample_tells_what_the_header_leaves_open)
{
    pipe_line p;
    const batch *b;
    source s = sound;

    s.declare = false;
    s.odd = 8;
    cr_assert_eq(open_line(&p, s, 5, 0, NULL), 0, "%s", p.e.msg);
    cr_assert_eq(batch_reader_shape(p.b)->H, 3);
    cr_assert_eq(batch_reader_next(p.b, &b, &p.e), 1);
    cr_assert_eq(b->pos[0], 0);
    cr_assert_eq(batch_reader_next(p.b, &b, &p.e), -1);
    cr_assert_eq(p.e.kind, ERR_INPUT);
    cr_assert(strstr(p.e.msg, "'k8'"), "%s", p.e.msg);
    close_line(&p);
}

Test(batch, a_truncated_stream_fails_after_its_batches)
{
    pipe_line p;
    const batch *b;
    source s = sound;

    s.finish = false;
    cr_assert_eq(open_line(&p, s, 20, 0, NULL), 0);
    cr_assert_eq(batch_reader_next(p.b, &b, &p.e), 1);
    cr_assert_eq(batch_reader_next(p.b, &b, &p.e), -1);
    cr_assert_eq(p.e.kind, ERR_INPUT);
    close_line(&p);
}

static int no_seven(const void *arg, const batch *b, int i, err *e)
{
    (void)arg;
    return ((int32_t *)b->field[0])[2 * i] == 7 ? err_set(e, ERR_INPUT, "seven") : 0;
}

Test(batch, a_sample_that_is_not_sound_is_named)
{
    pipe_line p;
    const batch *b;

    cr_assert_eq(open_line(&p, sound, 20, 0, no_seven), 0);
    cr_assert_eq(batch_reader_next(p.b, &b, &p.e), -1);
    cr_assert(strstr(p.e.msg, "'k7'") && strstr(p.e.msg, "seven"), "%s", p.e.msg);
    close_line(&p);
}

/* The source stays open and silent: stopping must not wait for it. */
Test(batch, stops_while_it_waits_for_input, .timeout = 20)
{
    pipe_line p;
    const batch *b;
    source s = sound;

    s.finish = false;
    s.hang = true;
    cr_assert_eq(open_line(&p, s, 6, 0, NULL), 0);
    cr_assert_eq(batch_reader_next(p.b, &b, &p.e), 1);
    close_line(&p);
}

Test(batch, stops_while_all_slots_are_full, .timeout = 20)
{
    pipe_line p;
    source s = sound;

    s.count = 20000;
    cr_assert_eq(open_line(&p, s, 6, 0, NULL), 0);
    close_line(&p);
}
