/* ssl-augment: random changes of images, as a chain of operations. */
#include "tool.h"

#include "base/pool.h"
#include "base/progress.h"
#include "base/rng.h"
#include "image/augment/chain.h"
#include "stream/filter.h"

#include <stdlib.h>
#include <string.h>

static const char *views_text;
static int64_t views, locals, seed = -1, threads;

static const opt opts[] = {
    {0, "views", OPT_STRING, &views_text, "N[+M]", "make N views of each image, in the field views (default: change\nthe field image itself), and M small ones in the field local, by\nthe operations after an operand +", 0, 0},
    {0, "seed", OPT_INT, &seed, "N", "of the random decisions (default: the input's)", 0, 9e18},
    {'j', "jobs", OPT_INT, &threads, "N", "threads (default: the processors at hand); the output does not\ndepend on it", 1, 1024},
    {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
};

typedef struct stage {
    chain *chain;
    work *works; /* one a thread */
    progress bar;
} stage;

static int list(FILE *f, err *e)
{
    buf text = {0};
    int rc = chain_list(&text, e);

    if (rc == 0 && fwrite(text.p, 1, text.n, f) != text.n)
        rc = err_sys(e, "cannot write the output");
    buf_free(&text);
    return rc;
}

/* ---- A sample ------------------------------------------------------------------ */

static int read_image(const sample *in, image *im, err *e)
{
    const tensor *t = sample_tensor(in, "image", DT_U1, 3, e);

    if (!t)
        return -1;
    if (t->shape[2] != 1 && t->shape[2] != 3)
        return err_set(e, ERR_INPUT, "the image has %d channels; expected 1 or 3", (int)t->shape[2]);
    if (t->shape[0] < 1 || t->shape[1] < 1)
        return err_set(e, ERR_INPUT, "the image is empty");
    *im = (image){.h = (int)t->shape[0], .w = (int)t->shape[1], .c = (int)t->shape[2],
                  .p = (uint8_t *)(uintptr_t)t->data}; /* only read */
    return 0;
}

/* n results of a chain in the field `name`; they share a tensor, so they must have one shape. n = 0: one image, not a row of them. */
static int make(frame *out, const char *name, const chain *c, int n, const sample *in, const image *src, work *k, err *e)
{
    int64_t index = sample_int(in, "index", -1), epoch = sample_int(in, "epoch", 0), shape[4] = {n};
    uint8_t *to = NULL;
    const image *view;

    for (int v = 0; v < (n ? n : 1); v++) {
        if (chain_apply(c, v, epoch, index, src, k, &view, e))
            return -1;
        if (v == 0) {
            shape[1] = view->h;
            shape[2] = view->w;
            shape[3] = view->c;
            to = n ? frame_tensor(out, name, DT_U1, 4, shape) : frame_tensor(out, name, DT_U1, 3, shape + 1);
        } else if (view->h != shape[1] || view->w != shape[2]) {
            return err_set(e, ERR_INPUT, "%s %d is %d x %d pixels, but the first is %d x %d; end with crop, centercrop or resize:WxH",
                           strcmp(name, "local") == 0 ? "local view" : "view", v + 1, view->w, view->h, (int)shape[2], (int)shape[1]);
        }
        if (to)
            memcpy(to + (size_t)v * image_bytes(view), view->p, image_bytes(view));
    }
    return 0;
}

static int augment(const sample *in, frame *out, int worker, void *arg, err *e)
{
    stage *s = arg;
    image src;

    if (sample_int(in, "index", -1) < 0)
        return err_set(e, ERR_INPUT, "the field 'index' is missing; randomness is keyed by it");
    if (read_image(in, &src, e))
        return -1;
    frame_fields_except(out, in, "image", NULL);
    if (make(out, views ? "views" : "image", s->chain, (int)views, in, &src, &s->works[worker], e))
        return -1;
    return locals ? make(out, "local", chain_local(s->chain), (int)locals, in, &src, &s->works[worker], e) : 0;
}

static int each(int64_t done, void *arg)
{
    stage *s = arg;

    progress_update(&s->bar, done, NULL);
    return 0;
}

/* ---- The header ------------------------------------------------------------------ */

static value *operations(const chain *c, err *e)
{
    value *list = value_array();
    buf text = {0};

    for (int i = 0; i < chain_length(c); i++) {
        text.n = 0;
        if (chain_text(c, i, &text, e)) {
            value_free(list);
            list = NULL;
            break;
        }
        value_push(list, value_strn((char *)text.p, text.n));
    }
    buf_free(&text);
    return list;
}

static value *record(const chain *c, err *e)
{
    value *v = value_map();

    if (locals) {
        value_set(v, "local", value_int(locals));
        value_set(v, "local_operations", operations(chain_local(c), e));
    }
    value_set(v, "operations", operations(c, e));
    value_set(v, "views", views ? value_int(views) : value_nil());
    return v;
}

/* The field `name` of n images that the chain makes of those of w x h. */
static int declare_field(header *h, const char *name, const chain *c, int n, const int64_t from[3], err *e)
{
    int64_t shape[4] = {n, 0, 0, from[2]};
    int w = (int)from[1], height = (int)from[0];

    chain_size(c, &w, &height);
    shape[1] = height;
    shape[2] = w;
    return header_set_field(h, name, dtype_name(DT_U1), n ? 4 : 3, n ? shape : shape + 1, e);
}

static int declare(const chain *c, header *h, err *e)
{
    int64_t shape[TENSOR_MAX_DIMS];
    dtype type;

    if (header_field(h, "image", &type, shape) != 3)
        return err_set(e, ERR_INPUT, "the header declares no image of 3 dimensions");
    header_remove_field(h, "image");
    if (!views)
        return declare_field(h, "image", c, 0, shape, e);
    free(h->kind);
    h->kind = strdup(KIND_VIEWS);
    if (!h->kind)
        return err_nomem(e);
    if (declare_field(h, "views", c, (int)views, shape, e))
        return -1;
    return locals ? declare_field(h, "local", chain_local(c), (int)locals, shape, e) : 0;
}

static int set_up(stage *s, const char *name, header *h, err *e)
{
    if (header_expect(h, e, KIND_IMAGES, NULL))
        return -1;
    if (seed >= 0)
        h->seed = (uint64_t)seed;
    chain_set_key(s->chain, rng_mix(rng_mix_str(rng_mix(0, h->seed), name), history_count(h, name)));
    return declare(s->chain, h, e) || history_add(h, name, record(s->chain, e), NULL, 0, e) ? -1 : 0;
}

static int filter_stream(tool *t, stage *s, err *e)
{
    header h = {0};
    int rc = -1;
    reader *r = reader_new(t->in_fd, 0, e);

    s->works = calloc((size_t)threads, sizeof *s->works);
    if (!s->works)
        err_nomem(e);
    if (!r || !s->works || header_copy(&h, reader_header(r), e) || set_up(s, t->name, &h, e))
        goto out;
    filter f = {t->name, (int)threads, augment, s, each};
    progress_start(&s->bar, 2, t->name, "images", 0, h.count, t->quiet || !tool_is_last(t));
    t->writes_stream = false;
    rc = filter_run(&f, r, &h, t->out_fd, e);
    progress_end(&s->bar);
out:
    for (int i = 0; s->works && i < threads; i++)
        work_free(&s->works[i]);
    free(s->works);
    header_clear(&h);
    reader_free(r);
    return rc;
}

/* "2", or "2+6" with local views. */
static int parse_views(const char *text, err *e)
{
    const char *plus = strchr(text, '+');
    char first[32];

    snprintf(first, sizeof first, "%.*s", plus ? (int)(plus - text) : (int)sizeof first - 1, text);
    if (opt_int(first, &views) || (plus && opt_int(plus + 1, &locals)) || views < 1 || views > 256 ||
        (plus && (locals < 1 || locals > 256)))
        return err_set(e, ERR_USAGE, "--views: '%s' is not a number such as 2, or two such as 2+6, each from 1 to 256", text);
    return 0;
}

static int check_views(const chain *c, err *e)
{
    const chain *local = chain_local(c);
    int least = chain_views(c), least_local = local ? chain_views(local) : 0;

    if (local && !locals)
        return err_set(e, ERR_USAGE, "what follows '+' makes local views; use --views N+M, such as 2+6");
    if (locals && !local)
        return err_set(e, ERR_USAGE, "--views %s: the operations of the local views are missing; write them after an operand +", views_text);
    if (least > (views ? views : 1) && !locals)
        return err_set(e, ERR_USAGE, "p is given for %d views; use --views %d", least, least);
    if (least > (views ? views : 1) || least_local > locals)
        return err_set(e, ERR_USAGE, "p is given for %d+%d views", least, least_local);
    return 0;
}

static int run(tool *t, err *e)
{
    stage s = {0};
    int rc = -1;

    if (!t->n_operands)
        return err_set(e, ERR_USAGE, "no operations; --list names them");
    if (views_text && parse_views(views_text, e))
        return -1;
    s.chain = chain_new(t->operands, t->n_operands, e);
    if (!s.chain)
        return -1;
    if (check_views(s.chain, e))
        rc = -1;
    else if (t->dry_run)
        rc = 0;
    else {
        if (!threads)
            threads = pool_cpus();
        rc = filter_stream(t, &s, e);
    }
    chain_free(s.chain);
    return rc;
}

int main(int argc, char **argv)
{
    tool t = {
        .name = "ssl-augment",
        .synopsis = "[option ...] operation[:parameter=value,...] ...",
        .about = "Change images at random, by a chain of operations; or make several such views of each.\n"
                 "Names that begin with @ are presets.",
        .opts = opts,
        .examples = "  ssl-load photos/ --size 40 | ssl-augment crop:32 flip | ssl-show -o sheet.png\n"
                    "  ssl-load photos/ | ssl-augment --views 2 crop:32,scale=0.2-1 flip jitter:0.4,0.4,0.4,0.1,p=0.8 gray:p=0.2\n"
                    "  ssl-load photos/ | ssl-augment --views 2 @simclr:96\n"
                    "  ssl-load photos/ | ssl-augment --views 2+6 crop:96,scale=0.4-1 flip + crop:40,scale=0.05-0.4 flip\n",
        .min_operands = 0,
        .max_operands = -1,
        .writes_stream = true,
        .run = run,
        .list = list,
    };
    return tool_main(&t, argc, argv);
}
