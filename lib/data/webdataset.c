/*
 * Tar archives of image files, WebDataset's convention included
 * (https://github.com/webdataset/webdataset): members that follow each other
 * and agree up to the first dot of their base name are one sample; that part is
 * its key, and NAME.cls holds its class. Without one, the folder says it.
 */
#include "data/source.h"

#include "base/io.h"
#include "data/blob.h"
#include "data/tar.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_GROUP = 16,        /* images of one sample, so that a pipe needs only so much memory */
    MAX_CLASS = 4096,      /* bytes of a .cls member */
    MAX_IMAGE = 1 << 30    /* bytes of an image's member */
};

/* The sample whose members are going by. */
typedef struct group {
    buf prefix;   /* folder and base name up to the first dot */
    int images;
    size_t first; /* its first entry in the listing */
    int class;    /* id of what its .cls said; -1: none yet */
} group;

enum member_kind { OTHER, IMAGE, CLASS };

static const char *member_name(const tar_member *m)
{
    const char *s = m->name;

    while (s[0] == '.' && s[1] == '/')
        s += 2 + strspn(s + 2, "/");
    return s + strspn(s, "/");
}

/* Bytes of a name up to the first dot of its base name; 0 when it has no such dot. */
static size_t prefix_len(const char *name)
{
    const char *base = strrchr(name, '/'), *dot;

    base = base ? base + 1 : name;
    dot = strchr(base, '.');
    return dot && dot > base ? (size_t)(dot - name) : 0; /* .hidden files are nobody's sample */
}

/* What a member is to us, and whether it begins a new group. */
static int classify_member(group *g, const tar_member *m, enum member_kind *kind, bool *fresh, err *e)
{
    const char *name = member_name(m);
    size_t n = prefix_len(name);

    *kind = OTHER;
    *fresh = false;
    if (m->type != '0' || n == 0)
        return 0;
    if (listing_is_image(name, strlen(name)))
        *kind = IMAGE;
    else if (strcmp(name + n, ".cls") == 0)
        *kind = CLASS;
    *fresh = g->prefix.n != n || memcmp(g->prefix.p, name, n) || (*kind == IMAGE && g->images == MAX_GROUP);
    if (*fresh) {
        g->prefix.n = 0;
        g->images = 0;
        g->class = -1;
        if (buf_add(&g->prefix, name, n, e))
            return -1;
    }
    if (*kind == IMAGE)
        g->images++;
    return 0;
}

/* The first image of a group is known by the prefix; others keep their whole names. */
static size_t key_len(const group *g, const char *name)
{
    return g->images == 1 ? g->prefix.n : strlen(name);
}

/* The text of a .cls member, without blanks around it. *n is 0 when it says nothing. */
static const char *class_text(tar *t, const tar_member *m, size_t *n, err *e)
{
    if (m->size > MAX_CLASS) {
        err_set(e, ERR_INPUT, "'%s' is too long for a class name", m->name);
        return NULL;
    }
    const char *s = (const char *)tar_bytes(t, (size_t)m->size, e);
    if (!s)
        return NULL;
    size_t len = (size_t)m->size;
    while (len > 0 && strchr(" \t\r\n", s[len - 1]))
        len--;
    while (len > 0 && strchr(" \t\r\n", *s)) {
        s++;
        len--;
    }
    *n = len;
    return s;
}

/* The class that a .cls member states goes to the whole group, whichever comes first. */
static int take_class(listing *l, tar *t, group *g, const tar_member *m, err *e)
{
    size_t n;
    const char *text = class_text(t, m, &n, e);

    if (!text)
        return -1;
    if (n == 0)
        return 0;
    const char *clean = listing_escape(l, text, n, e);
    if (!clean || (g->class = names_number(&l->classes, clean, strlen(clean), e)) < 0)
        return -1;
    for (size_t i = g->first; i < l->n; i++)
        l->v[i].class = g->class;
    return 0;
}

static int take_image(const source *s, listing *l, const group *g, const tar_member *m, err *e)
{
    const char *name = member_name(m);
    entry en = {.offset = m->offset, .size = m->size, .source = s->number};

    if (m->size > MAX_IMAGE)
        return err_set(e, ERR_INPUT, "'%s' is larger than 1 GiB", name);
    if (!(en.key = source_key(s, l, name, key_len(g, name), e)) || listing_classify(l, &en, name, strlen(name), e))
        return -1;
    if (g->class >= 0)
        en.class = g->class;
    return listing_add(l, &en, e);
}

/* ---- From a file ---- */

static bool is_tar(const source_probe *p)
{
    return p->n == sizeof p->head && tar_is_header(p->head);
}

static int list_members(source *s, listing *l, tar *t, group *g, err *e)
{
    tar_member m;
    int rc;

    while ((rc = tar_next(t, &m, e)) > 0) {
        enum member_kind kind;
        bool fresh;
        if (classify_member(g, &m, &kind, &fresh, e))
            return -1;
        if (fresh)
            g->first = l->n;
        if (kind == CLASS && take_class(l, t, g, &m, e))
            return -1;
        if (kind == IMAGE && take_image(s, l, g, &m, e))
            return -1;
    }
    return rc;
}

static int list(source *s, listing *l, err *e)
{
    blob *b = calloc(1, sizeof *b);
    tar t;
    group g = {.class = -1};

    if (!b)
        return err_nomem(e);
    if (blob_open(b, s->operand, e)) {
        free(b);
        return -1;
    }
    s->state = b;
    if (b->fd < 0)
        return err_set(e, ERR_INPUT, "'%s' is compressed; use: zcat '%s' | ssl-load -", s->operand, s->operand);
    tar_start(&t, b->fd);
    int rc = list_members(s, l, &t, &g, e);
    tar_free(&t);
    buf_free(&g.prefix);
    return rc ? err_prefix(e, "'%s'", s->operand) : 0;
}

static int read_member(const source *s, const entry *en, item *it, err *e)
{
    const blob *b = s->state;

    it->own.n = 0;
    if (buf_reserve(&it->own, (size_t)en->size, e) || blob_read(b, en->offset, it->own.p, (size_t)en->size, e))
        return -1;
    it->p = it->own.p;
    it->n = it->own.n = (size_t)en->size;
    return 0;
}

/* ---- From a pipe ---- */

typedef struct tar_pipe {
    tar t;
    group g;
    listing l;          /* the group that goes by; emptied again and again */
    buf bytes[MAX_GROUP]; /* its images */
    size_t given;
    bool complete;      /* no more of this group will come: hand it out */
    bool held;          /* m begins the next group */
    tar_member m;
    enum member_kind kind;
} tar_pipe;

static int start(source *s, err *e)
{
    tar_pipe *p = calloc(1, sizeof *p);

    if (!p)
        return err_nomem(e);
    s->state = p;
    p->g.class = -1;
    tar_start(&p->t, s->fd);
    p->t.f.on_wait = s->on_wait;
    p->t.f.wait_arg = s->wait_arg;
    return feed_push(&p->t.f, s->seen, s->seen_n, e);
}

static void hand_out(tar_pipe *p, record *r, item *it)
{
    const entry *en = &p->l.v[p->given];
    buf old = it->own;

    r->key = en->key;
    r->split = en->split >= 0 ? p->l.splits.v[en->split] : NULL;
    r->class = en->class >= 0 ? p->l.classes.v[en->class] : NULL;
    it->own = p->bytes[p->given];
    it->p = it->own.p;
    it->n = it->own.n;
    p->bytes[p->given] = old;
    p->given++;
}

static int take_bytes(tar_pipe *p, err *e)
{
    buf *b = &p->bytes[p->l.n - 1];
    const uint8_t *bytes = tar_bytes(&p->t, (size_t)p->m.size, e);

    b->n = 0;
    return bytes ? buf_add(b, bytes, (size_t)p->m.size, e) : -1;
}

static int next(source *s, record *r, item *it, err *e)
{
    tar_pipe *p = s->state;

    for (;;) {
        if (p->complete) {
            if (p->given < p->l.n) {
                hand_out(p, r, it);
                return 1;
            }
            listing_reset(&p->l);
            p->given = p->g.first = 0;
            p->complete = false;
        }
        if (!p->held) {
            bool fresh;
            int rc = tar_next(&p->t, &p->m, e);
            if (rc < 0)
                goto fail;
            if (rc == 0) {
                p->complete = true;
                if (p->l.n == 0)
                    return 0;
                continue;
            }
            if (classify_member(&p->g, &p->m, &p->kind, &fresh, e))
                goto fail;
            if (fresh && p->l.n > 0) {
                p->complete = p->held = true;
                continue;
            }
        }
        p->held = false;
        if (p->kind == CLASS && take_class(&p->l, &p->t, &p->g, &p->m, e))
            goto fail;
        if (p->kind == IMAGE && (take_image(s, &p->l, &p->g, &p->m, e) || take_bytes(p, e)))
            goto fail;
    }
fail:
    return e->kind == ERR_INPUT ? err_prefix(e, "%s", strcmp(s->operand, "-") ? s->operand : "standard input") : -1;
}

static void close_pipe(tar_pipe *p)
{
    for (int i = 0; i < MAX_GROUP; i++)
        buf_free(&p->bytes[i]);
    listing_free(&p->l);
    buf_free(&p->g.prefix);
    tar_free(&p->t);
    free(p);
}

static void close_tar(source *s)
{
    if (s->piped) {
        close_pipe(s->state);
        return;
    }
    blob_close(s->state);
    free(s->state);
}

const source_type source_tar = {
    .name = "tar",
    .help = "a tar archive of image files: WebDataset's naming and .cls, or class folders; several joined by cat",
    .is = is_tar,
    .list = list,
    .read = read_member,
    .start = start,
    .next = next,
    .close = close_tar,
};
