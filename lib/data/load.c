#include "data/load.h"

#include "base/rng.h"
#include "data/load_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_BYTES = 64 << 10, /* stored bytes after which a job is full: small images share the cost of a hand-over */
    HELD_BYTES = 256 << 20  /* most bytes that shuffling a pipe holds */
};

/* ---- One image to one frame --------------------------------------------------- */

static void put_name(frame *f, const char *name, const char *s)
{
    if (s && *s)
        frame_str(f, name, s, strlen(s));
}

static void put_who(const load *L, const task *t, frame *f)
{
    const char *key, *split = NULL, *class = NULL;
    int label = -1;

    if (t->from) {
        key = (const char *)t->from->text.p;
        split = key + strlen(key) + 1;
        class = split + strlen(split) + 1;
        if (*class && L->h.classes)
            label = (int)header_class_index(&L->h, class, strlen(class));
    } else {
        key = t->en->key;
        if (t->en->split >= 0)
            split = L->l.splits.v[t->en->split];
        if (t->en->class >= 0) {
            class = L->l.classes.v[t->en->class];
            label = L->sel.label[t->en->class];
        }
    }
    frame_str(f, "key", key, strlen(key));
    frame_int(f, "index", t->index);
    frame_int(f, "pos", t->pos);
    frame_int(f, "epoch", t->epoch);
    put_name(f, "split", split);
    put_name(f, "class", class);
    if (label >= 0)
        frame_int(f, "label", label);
}

static int decode(scratch *w, const item *it, const char *key, err *e)
{
    int rc = it->c > 0 ? decoder_pixels(w->d, it->p, it->h, it->w, it->c, &w->im, e)
                       : decoder_run(w->d, it->p, it->n, it->path, &w->im, e);

    return rc ? err_prefix(e, "cannot decode '%s'", key) : 0;
}

static int make(const load *L, task *t, scratch *w, err *e)
{
    item *it = t->from ? &t->from->it : &w->it;
    const char *key = t->from ? (const char *)t->from->text.p : t->en->key;

    if (!t->from) {
        const source *s = &L->s[t->en->source];
        it->p = NULL;
        it->path = NULL;
        it->h = it->w = it->c = 0;
        it->fields.n = 0;
        if (s->type->read(s, t->en, it, e))
            return -1;
    }
    if (decode(w, it, key, e))
        return -1;
    frame_begin(&t->out, FRAME_SAMPLE);
    put_who(L, t, &t->out);
    uint8_t *p = frame_tensor(&t->out, "image", DT_U1, 3, (int64_t[]){w->im.h, w->im.w, w->im.c});
    if (p)
        memcpy(p, w->im.p, image_bytes(&w->im));
    for (int i = 0; i < it->fields.n; i++)
        frame_field(&t->out, &it->fields.f[i]);
    return frame_end(&t->out, e) ? err_prefix(e, "'%s'", key) : 0;
}

static void work(void *job_, int worker, void *load_)
{
    load *L = load_;
    job *j = job_;

    for (int i = 0; i < j->n; i++)
        j->t[i].rc = make(L, &j->t[i], &L->scratch[worker], &j->t[i].e);
}

/* ---- What has been made goes out ------------------------------------------------ */

static int emit_task(load *L, task *t, err *e)
{
    if (t->rc) {
        if (t->e.kind != ERR_INPUT || !L->o->skip_bad) {
            *e = t->e;
            return -1;
        }
        if (L->skipped++ == 0)
            L->bad = t->e;
        return 0;
    }
    if (writer_put(L->w, &t->out, e))
        return -1;
    L->done++;
    if (L->o->each)
        L->o->each(L->done, L->total, L->o->arg);
    return 0;
}

static void free_piece(piece *p)
{
    if (!p)
        return;
    item_free(&p->it);
    buf_free(&p->text);
    free(p);
}

static int emit(load *L, job *j, err *e)
{
    int rc = 0;

    for (int i = 0; i < j->n; i++) {
        if (rc == 0)
            rc = emit_task(L, &j->t[i], e);
        free_piece(j->t[i].from);
        j->t[i].from = NULL;
    }
    j->n = 0;
    L->idle[L->n_idle++] = j;
    return rc;
}

/* A free job; older ones are written until there is one. */
static int new_job(load *L, job **j, err *e)
{
    job *old;

    while ((old = pool_take(L->pool, false)))
        if (emit(L, old, e))
            return -1;
    if (L->n_idle == 0) {
        if (writer_flush(L->w, e)) /* what is ready does not wait for what is not */
            return -1;
        if (emit(L, pool_take(L->pool, true), e))
            return -1;
    }
    *j = L->idle[--L->n_idle];
    return 0;
}

static int drain(load *L, err *e)
{
    job *j;

    while ((j = pool_take(L->pool, true)))
        if (emit(L, j, e))
            return -1;
    return 0;
}

/* The pipe is dry: nothing that is here already waits for it. */
static int on_wait(void *load_, err *e)
{
    load *L = load_;

    if (!L->w) /* not started yet */
        return 0;
    return drain(L, e) ? -1 : writer_flush(L->w, e);
}

/* ---- Files ------------------------------------------------------------------------ */

/* Bytes that an entry stands for, to size jobs by. */
static int64_t weight(const load *L, const entry *en)
{
    const source *s = &L->s[en->source];

    if (en->size >= 0)
        return en->size;
    return s->c > 0 ? (int64_t)s->h * s->w * s->c : BATCH_BYTES;
}

static int run_files(load *L, err *e)
{
    for (int64_t pos = L->first; pos < L->end;) {
        job *j;
        int64_t bytes = 0;
        if (new_job(L, &j, e))
            return -1;
        for (; pos < L->end && j->n < BATCH && bytes < BATCH_BYTES; pos += L->step) {
            int64_t epoch = pos / (int64_t)L->sel.n;
            size_t index = L->even.n ? uniform_index(&L->even, pos, &epoch) : order_index(&L->ord, pos);
            task *t = &j->t[j->n++];
            t->en = &L->l.v[L->sel.v[index]];
            t->index = (int64_t)index;
            t->pos = pos;
            t->epoch = epoch;
            bytes += weight(L, t->en);
        }
        pool_put(L->pool, j);
    }
    return drain(L, e);
}

/* ---- A pipe ------------------------------------------------------------------------ */

static int add_text(buf *b, const char *s, err *e)
{
    return buf_add(b, s ? s : "", s ? strlen(s) + 1 : 1, e);
}

/* The next image that is selected: 1, 0 at the end, -1. */
static int next_piece(load *L, int64_t *arrived, piece **out, err *e)
{
    const load_opts *o = L->o;
    record r;
    piece *p = calloc(1, sizeof *p);
    int rc = -1;

    if (!p) {
        err_nomem(e);
        return -1;
    }
    do {
        rc = o->limit > 0 && *arrived == o->limit ? 0 : L->s->type->next(L->s, &r, &p->it, e);
        if (rc <= 0)
            goto out;
    } while ((o->split && (!r.split || strcmp(o->split, r.split))) || (o->classes && (!r.class || !select_named(o->classes, r.class))));
    if (add_text(&p->text, r.key, e) || add_text(&p->text, r.split, e) || add_text(&p->text, r.class, e)) {
        rc = -1;
        goto out;
    }
    p->index = (*arrived)++;
    *out = p;
    return 1;
out:
    free_piece(p);
    return rc;
}

/* A piece of the pipe's next position goes to work, unless it is another shard's or to be skipped. */
static int send_piece(load *L, piece *p, int64_t pos, err *e)
{
    job *j;

    if (pos < L->first || (pos - L->first) % L->step) {
        free_piece(p);
        return 0;
    }
    if (new_job(L, &j, e)) {
        free_piece(p);
        return -1;
    }
    j->t[0].en = NULL;
    j->t[0].from = p;
    j->t[0].index = p->index;
    j->t[0].pos = pos;
    j->t[0].epoch = 0;
    j->n = 1;
    pool_put(L->pool, j);
    return 0;
}

/* Shuffled, each image that arrives changes places with a random one of those held. */
static int run_pipe(load *L, err *e)
{
    const load_opts *o = L->o;
    int64_t arrived = 0, pos = 0, held = 0, bytes = 0, most = o->shuffle ? o->buffer : 0;
    piece **hold = calloc((size_t)most + 1, sizeof *hold), *p;
    rng r = rng_at(rng_mix(rng_mix_str(L->key, "shuffle"), 0));
    int rc = -1, got;

    if (!hold)
        return err_nomem(e);
    while ((got = next_piece(L, &arrived, &p, e)) > 0) {
        bytes += (int64_t)p->it.own.n;
        hold[held++] = p;
        while (held > most || (held > 1 && bytes > HELD_BYTES)) {
            int64_t i = (int64_t)rng_below(&r, (uint64_t)held);
            p = hold[i];
            hold[i] = hold[--held];
            bytes -= (int64_t)p->it.own.n;
            if (send_piece(L, p, pos++, e))
                goto out;
        }
    }
    if (got < 0)
        goto out;
    while (held > 0) {
        int64_t i = (int64_t)rng_below(&r, (uint64_t)held);
        p = hold[i];
        hold[i] = hold[--held];
        if (send_piece(L, p, pos++, e))
            goto out;
    }
    if (arrived == 0) {
        err_set(e, ERR_INPUT, "no image came through the pipe%s", o->split || o->classes ? " that was selected" : "");
        goto out;
    }
    rc = drain(L, e);
out:
    while (held > 0)
        free_piece(hold[--held]);
    free(hold);
    return rc;
}

/* ---- Before the first image -------------------------------------------------------- */

/* The last component of a folder's name, with a slash. */
static char *folder_prefix(const char *operand)
{
    size_t n = strlen(operand);
    char *prefix = NULL;

    while (n > 1 && operand[n - 1] == '/')
        n--;
    const char *slash = memrchr(operand, '/', n);
    const char *s = slash ? slash + 1 : operand;
    if (asprintf(&prefix, "%.*s/", (int)(n - (size_t)(s - operand)), s) < 0)
        return NULL;
    return prefix;
}

/* What comes through a pipe comes once, in its own order, and nobody knows what will come. */
static int check_pipe(const load *L, err *e)
{
    if (L->sources > 1)
        return err_set(e, ERR_USAGE, "a pipe cannot be joined with other sources");
    if (L->o->epochs != 1)
        return err_set(e, ERR_USAGE, "a pipe comes only once: --epochs needs a file");
    if (L->o->balance)
        return err_set(e, ERR_USAGE, "a pipe is not known beforehand: --balance needs a file");
    if (L->o->uniform_by)
        return err_set(e, ERR_USAGE, "a pipe is not known beforehand: --uniform-by needs a file");
    return 0;
}

static int open_sources(load *L, err *e)
{
    const load_opts *o = L->o;
    int folders = 0;

    L->sources = o->list ? 1 : o->n_operands;
    L->s = calloc((size_t)L->sources, sizeof *L->s);
    L->prefix = calloc((size_t)L->sources, sizeof *L->prefix);
    if (!L->s || !L->prefix)
        return err_nomem(e);
    for (int i = 0; i < L->sources; i++) {
        source *s = &L->s[i];
        s->number = (uint32_t)i;
        s->fd = o->in_fd;
        s->zero_ended = o->zero_ended;
        s->split = o->split;
        s->prefix = "";
        s->on_wait = on_wait;
        s->wait_arg = L;
        if (source_open(s, o->list ? o->list : o->operands[i], o->list ? "list" : o->format, e))
            return -1;
        folders += s->folder;
        L->pipe |= s->piped && s->type != &source_list_file;
    }
    if (L->pipe && check_pipe(L, e))
        return -1;
    for (int i = 0; folders > 1 && i < L->sources; i++) {
        if (!L->s[i].folder)
            continue;
        L->prefix[i] = folder_prefix(L->s[i].operand);
        if (!L->prefix[i])
            return err_nomem(e);
        char *clean = listing_escape(&L->l, L->prefix[i], strlen(L->prefix[i]), e);
        if (!clean)
            return -1;
        L->s[i].prefix = clean;
    }
    return 0;
}

static int list_sources(load *L, err *e)
{
    char text[512];

    for (int i = 0; i < L->sources; i++)
        if (source_list(&L->s[i], &L->l, e))
            return -1;
    if (L->l.n == 0) {
        if (L->o->list)
            return err_set(e, ERR_INPUT, "the list '%s' is empty", L->o->list);
        return err_set(e, ERR_INPUT, "no images are in '%s'%s", L->s[0].operand, L->l.ignored ? ", by the names of its files" : "");
    }
    if (L->l.ignored && L->o->note) {
        snprintf(text, sizeof text, "left out, being no images by their names: %zu (such as '%s')", L->l.ignored, L->l.example);
        L->o->note(text, L->o->arg);
    }
    /* Paths in one folder are unique by themselves. */
    return L->sources == 1 && L->s[0].type == &source_folder ? 0 : listing_unique(&L->l, e);
}

static int start_workers(load *L, err *e)
{
    int threads = L->o->threads;

    L->n_jobs = threads + 4; /* frames of large images are large */
    L->scratch = calloc((size_t)threads, sizeof *L->scratch);
    L->jobs = calloc((size_t)L->n_jobs, sizeof *L->jobs);
    L->idle = calloc((size_t)L->n_jobs, sizeof *L->idle);
    if (!L->scratch || !L->jobs || !L->idle)
        return err_nomem(e);
    for (int i = 0; i < L->n_jobs; i++)
        L->idle[L->n_idle++] = &L->jobs[i];
    for (int i = 0; i < threads; i++)
        if (!(L->scratch[i].d = decoder_new(&L->o->decode, e)))
            return -1;
    L->pool = pool_new(threads, L->n_jobs, work, L, e);
    return L->pool ? 0 : -1;
}

static void clear(load *L)
{
    job *j;

    while (L->pool && (j = pool_take(L->pool, true)))
        for (int i = 0; i < j->n; i++)
            free_piece(j->t[i].from);
    pool_free(L->pool);
    for (int i = 0; L->jobs && i < L->n_jobs; i++)
        for (int k = 0; k < BATCH; k++)
            frame_free(&L->jobs[i].t[k].out);
    free(L->jobs);
    free(L->idle);
    for (int i = 0; L->scratch && i < L->o->threads; i++) {
        decoder_free(L->scratch[i].d);
        item_free(&L->scratch[i].it);
        image_free(&L->scratch[i].im);
    }
    free(L->scratch);
    writer_free(L->w);
    header_clear(&L->h);
    order_clear(&L->ord);
    uniform_clear(&L->even);
    assignments_clear(&L->groups);
    select_clear(&L->sel);
    listing_free(&L->l);
    for (int i = 0; L->s && i < L->sources; i++)
        source_close(&L->s[i]);
    for (int i = 0; L->prefix && i < L->sources; i++)
        free(L->prefix[i]);
    free(L->prefix);
    free(L->s);
}

static int report(const load *L, err *e)
{
    char text[1200];

    if (L->skipped == 0)
        return 0;
    if (L->done == 0)
        return err_set(e, ERR_INPUT, "none of %" PRId64 " images is good; the first: %s", L->skipped, L->bad.msg);
    if (L->o->note) {
        snprintf(text, sizeof text, "skipped %" PRId64 " of %" PRId64 " images; the first: %s", L->skipped, L->skipped + L->done, L->bad.msg);
        L->o->note(text, L->o->arg);
    }
    return 0;
}

int load_run(const load_opts *o, err *e)
{
    load L = {.o = o};
    int rc = -1;

    if (open_sources(&L, e) || (L.pipe ? L.s[0].type->start(&L.s[0], e) : list_sources(&L, e)) || load_header(&L, e) ||
        start_workers(&L, e))
        goto out;
    L.w = writer_new(o->out_fd, &L.h, e);
    if (!L.w || (L.pipe ? run_pipe(&L, e) : run_files(&L, e)) || report(&L, e))
        goto out;
    rc = writer_finish(L.w, L.skipped, e);
out:
    if (rc && L.w)
        writer_abort(L.w, LOAD_TOOL, e);
    else if (rc)
        stream_abort(o->out_fd, LOAD_TOOL, e);
    clear(&L);
    return rc;
}
