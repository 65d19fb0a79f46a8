#include "nn/batch.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One batch in the caller's hands, one ready, one being filled. */
enum { SLOTS = 3 };

struct batch_reader {
    reader *r;
    int fd, wake[2]; /* a pipe: closing its writing end tells the thread to stop waiting */
    int size;
    int64_t skip_to;
    batch_shape shape;
    sample first; /* looked at for the shapes, not yet used */
    bool have_first;

    batch_check *check;
    const void *check_arg;
    batch slot[SLOTS];
    pthread_t thread;
    bool started;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t produced, taken, released; /* batches, counted from the start */
    bool held, ended, failed, stop;
    err failure;

    int64_t seen; /* samples */
};

/* ---- Shapes --------------------------------------------------------------- */

static int known(const int64_t *shape, int ndim)
{
    for (int i = 0; i < ndim; i++)
        if (shape[i] < 0)
            return 0;
    return 1;
}

/* The declared shape, or that of the first sample where the header leaves a dimension open. */
static int find_shape(batch_reader *b, const char *name, dtype *type, int64_t dims[TENSOR_MAX_DIMS], err *e)
{
    int ndim = header_field(reader_header(b->r), name, type, dims);

    if (ndim < 0)
        return err_set(e, ERR_INPUT, "the stream's header declares no tensor '%s'", name);
    if (known(dims, ndim))
        return ndim;
    if (!b->have_first) {
        int rc = reader_next(b->r, &b->first, e);
        if (rc <= 0)
            return rc < 0 ? -1 : err_set(e, ERR_INPUT, "the stream holds no samples");
        b->have_first = true;
    }
    const field *f = sample_find(&b->first, name);
    if (!f || f->type != FIELD_TENSOR || f->t.ndim != ndim) {
        err_set(e, ERR_INPUT, "'%s' is not as the header declares it", name);
        return reader_where(b->r, e);
    }
    memcpy(dims, f->t.shape, (size_t)ndim * sizeof *dims);
    return ndim;
}

static int input_shape(batch_reader *b, err *e)
{
    int64_t d[TENSOR_MAX_DIMS];
    batch_shape *s = &b->shape;
    char text[128];
    int ndim = find_shape(b, "input", &s->type, d, e);

    if (ndim < 0)
        return -1;
    bool images = s->type == DT_U1 && ndim == 4, vectors = s->type == DT_F4 && ndim == 2;
    if (!images && !vectors)
        return err_set(e, ERR_INPUT, "'input' is %s %s; expected |u1 [P,H,W,C] or <f4 [P,D]", dtype_name(s->type),
                       tensor_shape_text(ndim, d, text));
    for (int i = 0; i < ndim; i++)
        if (d[i] < 1 || d[i] > 1 << 24)
            return err_set(e, ERR_INPUT, "'input' has the shape %s", tensor_shape_text(ndim, d, text));
    if (images && d[3] != 1 && d[3] != 3)
        return err_set(e, ERR_INPUT, "'input' has %lld channels; expected 1 or 3", (long long)d[3]);
    if (tensor_bytes(s->type, ndim, d, STREAM_MAX_FRAME) < 0)
        return err_set(e, ERR_INPUT, "'input' has the shape %s, over the limit of a frame", tensor_shape_text(ndim, d, text));
    s->P = (int)d[0];
    s->H = images ? (int)d[1] : 0;
    s->W = images ? (int)d[2] : 0;
    s->C = (int)d[ndim - 1];
    return 0;
}

static int field_shape(batch_reader *b, int i, err *e)
{
    const batch_field *f = &b->shape.field[i];
    int64_t *dims = b->shape.dims[i];
    dtype type;

    if (f->optional && header_field(reader_header(b->r), f->name, NULL, dims) < 0)
        return 0;
    int ndim = find_shape(b, f->name, &type, dims, e);
    if (ndim < 0)
        return -1;
    if (type != f->type || ndim != f->ndim)
        return err_set(e, ERR_INPUT, "'%s' is %s of %d dimensions; the objective takes %s of %d", f->name, dtype_name(type),
                       ndim, dtype_name(f->type), f->ndim);
    int64_t bytes = tensor_bytes(type, ndim, dims, STREAM_MAX_FRAME);
    if (bytes < 1)
        return err_set(e, ERR_INPUT, "'%s' is empty or over the limit of a frame", f->name);
    b->shape.bytes[i] = (size_t)bytes;
    return 0;
}

static size_t input_bytes(const batch_shape *s)
{
    size_t pixels = s->H ? (size_t)s->H * (size_t)s->W : 1;

    return (size_t)s->P * pixels * (size_t)s->C * dtype_size(s->type);
}

/* ---- One batch ------------------------------------------------------------- */

static int slot_alloc(batch *b, const batch_shape *s, int size, err *e)
{
    size_t n = (size_t)size;

    /* A sample is at most a frame and a batch at most 2^20 samples: no product overflows. */
    b->input = malloc(n * input_bytes(s));
    b->index = malloc(n * sizeof *b->index);
    b->epoch = malloc(n * sizeof *b->epoch);
    b->pos = malloc(n * sizeof *b->pos);
    b->key = malloc(n * sizeof *b->key);
    if (!b->input || !b->index || !b->epoch || !b->pos || !b->key)
        return err_nomem(e);
    for (int i = 0; s->field[i].name; i++)
        if (s->bytes[i] && !(b->field[i] = malloc(n * s->bytes[i])))
            return err_nomem(e);
    return 0;
}

static void slot_free(batch *b)
{
    free(b->input);
    free(b->index);
    free(b->epoch);
    free(b->pos);
    free(b->key);
    for (int i = 0; i < BATCH_MAX_FIELDS; i++)
        free(b->field[i]);
}

/* Copy a tensor whose shape must be the stream's. */
static int copy_tensor(void *dst, const sample *s, const char *name, dtype type, int ndim, const int64_t *dims,
                       size_t bytes, err *e)
{
    char have[128], want[128];
    const tensor *t = sample_tensor(s, name, type, ndim, e);

    if (!t)
        return -1;
    if (memcmp(t->shape, dims, (size_t)ndim * sizeof *dims) != 0)
        return err_set(e, ERR_INPUT, "'%s' is %s where the stream's first is %s; give all images one size upstream "
                       "(ssl-load --size N, ssl-augment crop:N)", name, tensor_shape_text(ndim, t->shape, have),
                       tensor_shape_text(ndim, dims, want));
    memcpy(dst, t->data, bytes);
    return 0;
}

static int add_sample(batch_reader *b, batch *to, const sample *s, int64_t pos, err *e)
{
    const batch_shape *sh = &b->shape;
    int64_t images[4] = {sh->P, sh->H, sh->W, sh->C}, vectors[2] = {sh->P, sh->C};
    size_t bytes = input_bytes(sh), i = (size_t)to->n;
    char split[8];

    if (copy_tensor(to->input + i * bytes, s, "input", sh->type, sh->H ? 4 : 2, sh->H ? images : vectors, bytes, e))
        return -1;
    for (int k = 0; sh->field[k].name; k++)
        if (sh->bytes[k] && copy_tensor((uint8_t *)to->field[k] + i * sh->bytes[k], s, sh->field[k].name, sh->field[k].type,
                                        sh->field[k].ndim, sh->dims[k], sh->bytes[k], e))
            return -1;
    to->index[i] = sample_int(s, "index", -1);
    to->epoch[i] = sample_int(s, "epoch", 0);
    to->pos[i] = pos;
    sample_str(s, "key", to->key[i], sizeof to->key[i]);
    to->test |= strcmp(sample_str(s, "split", split, sizeof split), "test") == 0;
    if (b->check && b->check(b->check_arg, to, to->n, e))
        return -1;
    to->n++;
    return 0;
}

/* ---- The thread ------------------------------------------------------------ */

/* Wait for input or for the order to stop, so that the reader never blocks in read(). */
static int wait_for_input(void *arg, err *e)
{
    batch_reader *b = arg;
    struct pollfd p[2] = {{.fd = b->fd, .events = POLLIN}, {.fd = b->wake[0], .events = POLLIN}};

    while (poll(p, 2, -1) < 0)
        if (errno != EINTR && errno != EAGAIN)
            return err_sys(e, "cannot wait for the input");
    return p[1].revents ? err_set(e, ERR_GONE, "stopped") : 0;
}

static int next_sample(batch_reader *b, sample *s, err *e)
{
    if (b->have_first) {
        *s = b->first;
        b->have_first = false;
        return 1;
    }
    return reader_next(b->r, s, e);
}

/* Fill one batch: 1 when full, 0 at the end of the input, -1. */
static int fill(batch_reader *b, batch *to, err *e)
{
    static const sample none;
    sample s = none;

    to->n = 0;
    to->test = false;
    while (to->n < b->size) {
        int rc = next_sample(b, &s, e);
        if (rc <= 0)
            return rc;
        int64_t pos = sample_int(&s, "pos", b->seen);
        if (b->seen++ == 0 && pos > b->skip_to && b->skip_to > 0) {
            err_set(e, ERR_INPUT, "the input begins at position %lld, after the checkpoint's %lld", (long long)pos,
                    (long long)b->skip_to);
            return reader_where(b->r, e);
        }
        if (pos >= b->skip_to && add_sample(b, to, &s, pos, e))
            return reader_where(b->r, e);
    }
    return 1;
}

/* A slot to fill, or NULL when the thread is to stop. */
static batch *free_slot(batch_reader *b)
{
    pthread_mutex_lock(&b->lock);
    while (!b->stop && b->produced - b->released == SLOTS)
        pthread_cond_wait(&b->changed, &b->lock);
    batch *to = b->stop ? NULL : &b->slot[b->produced % SLOTS];
    pthread_mutex_unlock(&b->lock);
    return to;
}

static void *read_ahead(void *arg)
{
    batch_reader *b = arg;
    batch *to;

    while ((to = free_slot(b))) {
        err e = {0};
        int rc = fill(b, to, &e);

        pthread_mutex_lock(&b->lock);
        bool only = rc == 0 && b->produced == 0 && b->skip_to == 0 && to->n > 0;
        if (rc == 1 || only)
            b->produced++;
        b->ended = rc == 0;
        b->failed = rc < 0;
        b->failure = e;
        pthread_cond_signal(&b->changed);
        pthread_mutex_unlock(&b->lock);
        if (rc <= 0)
            break;
    }
    return NULL;
}

/* ---- The caller's side ------------------------------------------------------ */

batch_reader *batch_reader_new(reader *r, int fd, const batch_field *fields, int size, int64_t skip_to, err *e)
{
    batch_reader *b = calloc(1, sizeof *b);

    if (!b) {
        err_nomem(e);
        return NULL;
    }
    b->r = r;
    b->fd = fd;
    b->size = size;
    b->skip_to = skip_to;
    b->shape.field = fields;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    b->wake[0] = b->wake[1] = -1;
    if (pipe2(b->wake, O_CLOEXEC)) {
        err_sys(e, "cannot make a pipe");
        goto fail;
    }
    if (input_shape(b, e))
        goto fail;
    for (int i = 0; fields[i].name; i++)
        if (field_shape(b, i, e))
            goto fail;
    for (int i = 0; i < SLOTS; i++)
        if (slot_alloc(&b->slot[i], &b->shape, size, e))
            goto fail;
    return b;
fail:
    batch_reader_free(b);
    return NULL;
}

const batch_shape *batch_reader_shape(const batch_reader *b)
{
    return &b->shape;
}

int batch_reader_start(batch_reader *b, batch_check *check, const void *arg, err *e)
{
    b->check = check;
    b->check_arg = arg;
    reader_on_wait(b->r, wait_for_input, b);
    errno = pthread_create(&b->thread, NULL, read_ahead, b);
    if (errno)
        return err_sys(e, "cannot start a thread");
    b->started = true;
    return 0;
}

int batch_reader_next(batch_reader *b, const batch **next, err *e)
{
    int rc = 1;

    pthread_mutex_lock(&b->lock);
    if (b->held) {
        b->held = false;
        b->released++;
        pthread_cond_signal(&b->changed);
    }
    while (b->taken == b->produced && !b->ended && !b->failed)
        pthread_cond_wait(&b->changed, &b->lock);
    if (b->taken < b->produced) {
        *next = &b->slot[b->taken++ % SLOTS];
        b->held = true;
    } else if (b->failed) {
        *e = b->failure;
        rc = -1;
    } else {
        rc = 0;
    }
    pthread_mutex_unlock(&b->lock);
    return rc;
}

void batch_reader_free(batch_reader *b)
{
    if (!b)
        return;
    if (b->started) {
        pthread_mutex_lock(&b->lock);
        b->stop = true;
        pthread_cond_signal(&b->changed);
        pthread_mutex_unlock(&b->lock);
        close(b->wake[1]);
        b->wake[1] = -1;
        pthread_join(b->thread, NULL);
        reader_on_wait(b->r, NULL, NULL);
    }
    for (int i = 0; i < 2; i++)
        if (b->wake[i] >= 0)
            close(b->wake[i]);
    for (int i = 0; i < SLOTS; i++)
        slot_free(&b->slot[i]);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}
