/* ssl-train: examples in, model out. Builds an encoder and the heads of the declared objective, and optimises. */
#include "tool.h"

#include "base/io.h"
#include "base/pool.h"
#include "base/progress.h"
#include "eval/monitor.h"
#include "image/preview.h"
#include "nn/collapse.h"
#include "nn/trainer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ESTIMATE_BATCHES = 100 };

#define COLLAPSE_SPREAD 0.05
#define COLLAPSE_RANK 1.5

static struct {
    const char *encoder, *stem, *projector, *optimizer, *schedule, *init, *init_parts, *checkpoint, *log, *output, *input, *preview, *monitor;
    int64_t width, batch, steps, warmup, checkpoint_every, log_every, preview_every, monitor_every, chunk, threads, seed;
    double lr, momentum, weight_decay;
    bool resume, no_bn_estimate, profile;
    opt_list set;
} o = {
    .encoder = "resnet18", .stem = "auto", .optimizer = "sgd", .schedule = "cosine", .init_parts = "encoder", .output = "-",
    .batch = 128, .steps = -1, .warmup = -1, .checkpoint_every = 500, .log_every = 50, .preview_every = 500, .monitor_every = 500, .seed = -1,
    .lr = NAN, .momentum = NAN, .weight_decay = NAN,
};

/* Everything one run holds; zeroed at first, so that it can be torn down at any point. */
typedef struct run {
    tool *t;
    trainer tr;
    reader *in;
    batch_reader *batches;
    const batch_shape *shape;
    int size; /* of a batch: no larger than the whole stream */
    header h; /* the model's */
    model init, checkpoint;
    network_parts init_parts;
    bool estimate, resumed, input_closed;
    bool writing; /* of the model has begun */
    out file;
    int log_fd;
    monitor watched;  /* of --monitor */
    float *watched_x; /* [watched.n][D] */
    int64_t looked, drawn, monitored; /* the last step of which there is a line of the log, a sheet, a measure */
    bool no_preview;  /* a sheet could not be drawn */
    bool moved;       /* some gradient since the last line was not 0 */
    bool collapsed, still; /* the warning has been given */
    double log_time; /* of the last line */
    progress bar;
} run;

/* ---- The command line ------------------------------------------------------------- */

static int parse_parts(network_parts *p, const char *s, err *e)
{
    static const char *const names[] = {
        [PARTS_ENCODER] = "encoder", [PARTS_HEADS] = "encoder+heads", [PARTS_ALL] = "all"};

    for (int i = 0; i < 3; i++)
        if (strcmp(names[i], s) == 0) {
            *p = (network_parts)i;
            return 0;
        }
    return err_set(e, ERR_USAGE, "--init-parts takes encoder, encoder+heads or all, not '%s'", s);
}

/* --input 28x28x1 */
static int parse_input(network_arch *a, err *e)
{
    int n = 0;

    if (!o.input)
        return 0;
    if (o.steps != 0)
        return err_set(e, ERR_USAGE, "--input is for --steps 0: otherwise the stream tells the size");
    if (sscanf(o.input, "%6dx%6dx%1d%n", &a->H, &a->W, &a->C, &n) != 3 || o.input[n] || a->H < 1 || a->W < 1 ||
        (a->C != 1 && a->C != 3))
        return err_set(e, ERR_USAGE, "--input takes HEIGHTxWIDTHxCHANNELS, such as 32x32x3, not '%s'", o.input);
    return 0;
}

static int parse_optimizer(optimizer *p, err *e)
{
    if (optimizer_parse(p, o.optimizer, e))
        return -1;
    if (!isnan(o.lr) && optimizer_set(p, "lr", o.lr, e))
        return -1;
    if (!isnan(o.momentum) && optimizer_set(p, "momentum", o.momentum, e))
        return -1;
    return isnan(o.weight_decay) ? 0 : optimizer_set(p, "weight_decay", o.weight_decay, e);
}

static int parse(run *r, err *e)
{
    network_arch *a = &r->tr.arch;
    int widths[PROJECTOR_MAX_LAYERS];

    a->enc = encoder_find(o.encoder);
    if (!a->enc)
        return err_set(e, ERR_USAGE, "unknown encoder '%s'; --list names them", o.encoder);
    a->options.width = (int)o.width;
    if (encoder_parse_stem(o.stem, &a->options.stem))
        return err_set(e, ERR_USAGE, "--stem takes auto, 3x3 or 7x7, not '%s'", o.stem);
    if (o.width && !a->enc->width)
        return err_set(e, ERR_USAGE, "encoder '%s' has no width", o.encoder);
    if (a->options.stem != STEM_AUTO && !a->enc->stems)
        return err_set(e, ERR_USAGE, "encoder '%s' has one stem only", o.encoder);
    if (parse_input(a, e) || parse_optimizer(&r->tr.opt, e) ||
        schedule_parse(&r->tr.sched, o.schedule, e) || parse_parts(&r->init_parts, o.init_parts, e))
        return -1;
    if (o.projector && projector_parse(o.projector, widths, e) < 0)
        return -1;
    if (o.projector && strlen(o.projector) >= sizeof a->projector)
        return err_set(e, ERR_USAGE, "projector '%s' is too long", o.projector);
    if (o.resume && !o.checkpoint)
        return err_set(e, ERR_USAGE, "--resume needs --checkpoint FILE");
    if (strcmp(o.output, "-") == 0 && isatty(r->t->out_fd))
        return err_set(e, ERR_USAGE, "a model is no text for a terminal; give -o FILE or redirect standard output");
    return 0;
}

/* ---- Setting up ---------------------------------------------------------------------- */

static int load_models(run *r, err *e)
{
    if (o.init && model_load(&r->init, o.init, e))
        return -1;
    if (!o.resume || access(o.checkpoint, F_OK))
        return 0;
    if (model_load(&r->checkpoint, o.checkpoint, e))
        return -1;
    if (trainer_checkpoint_pos(&r->checkpoint, &r->tr.next_pos, e))
        return err_prefix(e, "'%s'", o.checkpoint);
    r->resumed = true;
    return 0;
}

static int open_input(run *r, err *e)
{
    network_arch *a = &r->tr.arch;

    r->in = reader_new(r->t->in_fd, 0, e);
    if (!r->in)
        return -1;
    const header *h = reader_header(r->in);
    if (header_expect(h, e, KIND_EXAMPLES, (char *)NULL) ||
        objective_init(&r->tr.obj, h->objective, o.set.v, o.set.n, e))
        return -1;
    if (h->count >= 0 && h->count < r->size)
        r->size = h->count > 0 ? (int)h->count : 1;
    r->batches = batch_reader_new(r->in, r->t->in_fd, r->tr.obj.type->fields, r->size,
                                  r->resumed ? r->tr.next_pos : 0, e);
    if (!r->batches)
        return -1;
    r->shape = batch_reader_shape(r->batches);
    a->H = r->shape->H;
    a->W = r->shape->W;
    a->C = r->shape->C;
    if (a->H && transform_resolve(&a->input, h->input_transform, a->C, e))
        return -1;
    return header_copy(&r->h, h, e);
}

/* How many steps there will be, for the schedule. */
static int plan_steps(run *r, err *e)
{
    schedule *s = &r->tr.sched;
    int64_t count = r->in ? reader_header(r->in)->count : 0;

    s->steps = o.steps >= 0 ? o.steps : count < 0 ? -1 : count < r->size ? 1 : count / r->size;
    if (s->steps < 0 && schedule_needs_steps(s))
        return err_set(e, ERR_USAGE, "the stream does not say how long it is; give --steps N, or --schedule constant");
    s->warmup = o.warmup >= 0 ? o.warmup : s->steps > 0 ? s->steps / 50 : 0;
    return 0;
}

static value *parameters(const run *r)
{
    const trainer *t = &r->tr;
    value *v = value_map();

    value_set(v, "encoder", value_str(t->arch.enc->name));
    value_set(v, "width", value_int(t->arch.options.width));
    value_set(v, "stem", value_str(encoder_stem_name(t->arch.options.stem)));
    value_set(v, "projector", value_str(t->arch.projector));
    value_set(v, "steps", t->sched.steps < 0 ? value_nil() : value_int(t->sched.steps));
    if (o.steps != 0) {
        value_set(v, "batch", value_int(o.batch));
        if (o.chunk)
            value_set(v, "chunk", value_int(o.chunk));
        value_set(v, "optimizer", params_text(t->opt.type->name, t->opt.params));
        value_set(v, "schedule", schedule_text(&t->sched));
        value_set(v, "warmup", value_int(t->sched.warmup));
    } else if (r->estimate) {
        value_set(v, "batch", value_int(o.batch));
        value_set(v, "bn_estimate", value_int(ESTIMATE_BATCHES));
    }
    if (t->obj.type)
        value_set(v, "objective", params_text(t->obj.type->name, value_get(t->obj.declared, "parameters")));
    if (o.init)
        value_set(v, "init_parts", value_str(o.init_parts));
    if (o.input)
        value_set(v, "input", value_str(o.input));
    return v;
}

static int describe(run *r, err *e)
{
    header *h = &r->h;
    history_parent init = {"init", NULL};

    free(h->kind);
    h->kind = strdup(KIND_MODEL);
    value_free(h->fields);
    h->fields = value_map();
    h->count = h->distinct = -1;
    h->seed = r->tr.seed;
    value_free(h->objective);
    h->objective = r->tr.obj.type ? value_copy(r->tr.obj.declared) : NULL;
    if (!h->kind || !h->fields || (r->tr.obj.type && value_failed(h->objective)))
        return err_nomem(e);
    if (o.init && history_merge(h, r->init.h.history, &init.id, e))
        return -1;
    if (history_add(h, "ssl-train", parameters(r), &init, init.id ? 1 : 0, e))
        return -1;
    return network_arch_write(&r->tr.arch, h, e);
}

/* A checkpoint goes on only with the run that it belongs to. */
static int resume(run *r, err *e)
{
    if (!value_equal(r->checkpoint.h.history, r->h.history))
        return err_set(e, ERR_INPUT, "checkpoint '%s' belongs to another pipeline: its history differs; remove it to start afresh",
                       o.checkpoint);
    if (trainer_resume(&r->tr, &r->checkpoint, e))
        return err_prefix(e, "checkpoint '%s'", o.checkpoint);
    return 0;
}

static int set_up(run *r, err *e)
{
    network_arch *a = &r->tr.arch;

    if (load_models(r, e))
        return -1;
    if (o.input) {
        if (transform_resolve(&a->input, NULL, a->C, e) || header_init(&r->h, KIND_MODEL, e))
            return -1;
    } else if (open_input(r, e)) {
        return -1;
    }
    a->options = encoder_resolve(a->enc, a->options, a->H, a->W);
    snprintf(a->projector, sizeof a->projector, "%s",
             o.projector ? o.projector : r->tr.obj.type ? r->tr.obj.type->projector : "none");
    r->tr.seed = o.seed >= 0 ? (uint64_t)o.seed : r->h.seed;
    r->estimate = o.steps == 0 && r->in && !o.no_bn_estimate && !o.init;
    r->tr.chunk = o.steps == 0 ? 0 : (int)o.chunk;
    if (plan_steps(r, e) || describe(r, e) ||
        trainer_start(&r->tr, r->shape, r->size, r->in ? reader_header(r->in)->distinct : -1, (int)o.threads, e))
        return -1;
    if (r->resumed)
        return resume(r, e);
    if (o.init && trainer_init_from(&r->tr, &r->init, r->init_parts, e))
        return err_prefix(e, "model '%s'", o.init);
    return 0;
}

/* ---- The log --------------------------------------------------------------------------- */

/* Where the lines end that the checkpoint covers: those after it will be written again. */
static off_t covered(FILE *f, int64_t step)
{
    char *line = NULL;
    size_t cap = 0;
    off_t keep = 0;
    int64_t at;

    while (getline(&line, &cap, f) > 0 && strchr(line, '\n') && sscanf(line, "{\"step\" :%" SCNd64, &at) == 1 && at <= step)
        keep = ftello(f);
    free(line);
    return keep;
}

static int open_log(run *r, err *e)
{
    struct stat st;
    FILE *f = fopen(o.log, "a+e");

    if (!f)
        return err_sys(e, "cannot open '%s'", o.log);
    /* What standard error was pointed at is not ours to empty. */
    bool file = fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && strncmp(o.log, "/dev/", 5) != 0;
    if (file && ftruncate(fileno(f), r->resumed ? covered(f, r->tr.step) : 0))
        err_sys(e, "cannot shorten '%s'", o.log);
    else if ((r->log_fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 3)) < 0)
        err_sys(e, "cannot open '%s'", o.log);
    fclose(f);
    return r->log_fd < 0 ? -1 : 0;
}

/* One line of JSON; v is owned by the call. */
static int write_line(run *r, value *v, err *e)
{
    buf line = {0};
    int rc = -1;

    if (value_failed(v))
        err_nomem(e);
    else if (value_json(v, -1, &line, e) == 0 && buf_add(&line, "\n", 1, e) == 0) {
        rc = io_write(r->log_fd, line.p, line.n, e);
        if (rc)
            err_prefix(e, "'%s'", o.log);
    }
    value_free(v);
    buf_free(&line);
    return rc;
}

static int log_line(run *r, double std, double rank, err *e)
{
    trainer *t = &r->tr;
    trainer_meter *m = &t->meter;
    double now = progress_clock(), seconds = now - r->log_time;
    struct rusage usage; /* ru_maxrss: KiB */

    value *v = value_map();
    value_set(v, "step", value_int(t->step));
    value_set(v, "epoch", value_int(t->epoch));
    value_set(v, "images", value_int(t->step * r->size));
    value_set(v, "loss", value_float(m->loss / (double)m->steps));
    if (m->counted > 0)
        value_set(v, "accuracy", value_float(m->correct / m->counted));
    value_set(v, "lr", value_float(t->lr));
    value_set(v, "grad_norm", value_float(t->grad_norm));
    value_set(v, "embedding_std", value_float(std));
    value_set(v, "effective_rank", value_float(rank));
    value_set(v, "images_per_second", value_float(seconds > 0 ? (double)(m->steps * r->size) / seconds : 0));
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        value_set(v, "memory_mib", value_float((double)usage.ru_maxrss / 1024));
    r->log_time = now;
    return write_line(r, v, e);
}

/* ---- The loop ---------------------------------------------------------------------------- */

static int save_checkpoint(run *r, err *e)
{
    out f;

    if (out_open(&f, o.checkpoint, e))
        return -1;
    if (trainer_save(&r->tr, &r->h, true, f.fd, e)) {
        out_abort(&f);
        return err_prefix(e, "checkpoint '%s'", o.checkpoint);
    }
    return out_commit(&f, e);
}

static void show_progress(run *r)
{
    const trainer_meter *m = &r->tr.meter;
    char text[64];

    if (m->steps == 0)
        return;
    int n = snprintf(text, sizeof text, "loss %.4f", m->loss / (double)m->steps);
    if (m->counted > 0)
        snprintf(text + n, sizeof text - (size_t)n, "  accuracy %.3f", m->correct / m->counted);
    progress_update(&r->bar, r->tr.step * r->size, text);
}

/*
 * Embeddings that are all alike have collapsed: a deviation of a twentieth of that of directions spread evenly,
 * or hardly more than one dimension in use.
 */
static void warn_of_collapse(run *r, int images, double std, double rank, int D)
{
    double spread = std * sqrt(D);

    if (r->collapsed || D < 2 || images < 2 || (spread >= COLLAPSE_SPREAD && rank >= COLLAPSE_RANK))
        return;
    progress_end(&r->bar);
    tool_note(r->t, "warning: the embeddings have collapsed at step %" PRId64 ": they spread %.3g of an even spread (warned of below %g), "
              "over %.3g dimensions (below %g)", r->tr.step, spread, COLLAPSE_SPREAD, rank, COLLAPSE_RANK);
    r->collapsed = true;
}

/* Not one gradient: images without colours to tell, say, or holes that hide nothing. */
static void warn_of_stillness(run *r)
{
    if (!r->moved && !r->still) {
        progress_end(&r->bar);
        tool_note(r->t, "warning: nothing was learnt up to step %" PRId64 ": the gradient is 0, so the examples ask for nothing", r->tr.step);
        r->still = true;
    }
    r->moved = false;
}

/* At intervals: how the embeddings of the batch are, and the line of the log. */
static int look(run *r, const batch *b, err *e)
{
    int n = b->n * r->shape->P, D;
    const float *x = trainer_features(&r->tr, &D);
    double std = collapse_std(x, n, D, e), rank = std < 0 ? -1 : collapse_rank(x, n, D, e);

    if (rank < 0)
        return -1;
    warn_of_collapse(r, b->n, std, rank, D);
    warn_of_stillness(r);
    return r->log_fd >= 0 ? log_line(r, std, rank, e) : 0;
}

/* ---- --monitor ----------------------------------------------------------------------------- */

static int open_monitor(run *r, err *e)
{
    const network_arch *a = &r->tr.arch;
    int D;

    if (!a->H)
        return err_set(e, ERR_USAGE, "--monitor: the inputs are vectors, not images");
    if (monitor_load(&r->watched, o.monitor, a->H, a->W, a->C, e))
        return -1;
    trainer_features(&r->tr, &D);
    r->watched_x = malloc(r->watched.n * (size_t)D * sizeof *r->watched_x);
    return r->watched_x ? 0 : err_nomem(e);
}

/* Nearest neighbours by the encoder as it stands: a line of the log, or a remark where there is no log. */
static int run_monitor(run *r, err *e)
{
    int D;

    trainer_features(&r->tr, &D);
    if (trainer_embed(&r->tr, r->watched.image, r->watched.n, r->watched_x, e))
        return -1;
    double accuracy = monitor_score(&r->watched, r->watched_x, D, o.threads ? (int)o.threads : pool_cpus(), e);
    if (accuracy < 0)
        return -1;
    if (r->log_fd < 0) {
        progress_end(&r->bar);
        tool_note(r->t, "step %" PRId64 ": nearest neighbours are right on %.1f %% of the monitored images", r->tr.step, 100 * accuracy);
        return 0;
    }
    value *v = value_map();
    value_set(v, "step", value_int(r->tr.step));
    value_set(v, "monitor_knn", value_float(accuracy));
    return write_line(r, v, e);
}

/* ---- --preview ----------------------------------------------------------------------------- */

enum { PREVIEW_CARDS = 12 };

static int add_preview(run *r, preview *p, const batch *b, int i, err *e)
{
    const batch_shape *s = r->shape;
    int row = i * s->P; /* the first input of each image */
    objective_picture pic;
    int rc = trainer_picture(&r->tr, b, s, row, &pic, e);

    if (rc == 0) {
        preview_image given = {s->H, s->W, s->C, b->input + (size_t)row * (size_t)(s->H * s->W * s->C)};
        rc = preview_add(p, b->key[i], given, (preview_image){pic.H, pic.W, 3, pic.answer},
                         (preview_image){pic.H, pic.W, 3, pic.truth}, e);
    }
    free(pic.answer);
    free(pic.truth);
    return rc;
}

static void preview_path(const run *r, char *path, size_t size)
{
    snprintf(path, size, "%s/step-%07" PRId64 ".png", o.preview, r->tr.step);
}

/* DIR/step-0000500.png: the first images of the batch that was just learnt from. */
static int write_preview(run *r, const batch *b, err *e)
{
    preview *p = preview_new(&r->h, e);
    out file = {.fd = -1};
    buf png = {0};
    char path[4096];
    bool text;
    int rc = p ? 0 : -1;

    for (int i = 0; rc == 0 && i < b->n && i < PREVIEW_CARDS; i++)
        rc = add_preview(r, p, b, i, e);
    preview_path(r, path, sizeof path);
    if (rc == 0)
        rc = preview_png(p, &png, &text, e) || out_open(&file, path, e) ? -1 : 0;
    if (rc == 0)
        rc = io_write(file.fd, png.p, png.n, e) || out_commit(&file, e) ? err_prefix(e, "'%s'", path) : 0;
    out_abort(&file);
    buf_free(&png);
    preview_free(p);
    return rc;
}

/* What would fail hours from now, at the first checkpoint or sheet, fails here. */
static int try_to_write(const char *path, err *e)
{
    out trial = {.fd = -1};
    int rc = out_open(&trial, path, e);

    out_abort(&trial);
    return rc;
}

static int open_preview(run *r, err *e)
{
    char path[4096];

    if (!r->tr.obj.type->picture)
        return err_set(e, ERR_USAGE, "--preview: the answers of the objective '%s' are no pictures", r->tr.obj.type->name);
    if (mkdir(o.preview, 0777) && errno != EEXIST)
        return err_sys(e, "cannot make the folder '%s'", o.preview);
    preview_path(r, path, sizeof path);
    return try_to_write(path, e);
}

/* Later on a sheet that cannot be drawn is not worth the training: say so, and go on without them. */
static void draw_preview(run *r, const batch *b)
{
    err e = {0};

    if (!write_preview(r, b, &e))
        return;
    progress_end(&r->bar);
    tool_note(r->t, "warning: no previews from step %" PRId64 " on: %s", r->tr.step, e.msg);
    r->no_preview = true;
}

/* ---- The loop ------------------------------------------------------------------------------ */

/* Whether it is time for what is done every so many steps and after the last, and was last done at *done. */
static bool due(const run *r, int64_t *done, int64_t every, bool last)
{
    if (*done == r->tr.step || (!last && r->tr.step % every))
        return false;
    *done = r->tr.step;
    return true;
}

/* The line of the log, and a sheet, of the step that was made of b. */
static int report(run *r, const batch *b, bool last, err *e)
{
    if (due(r, &r->looked, o.log_every, last)) {
        if (look(r, b, e))
            return -1;
        r->tr.meter = (trainer_meter){0};
    }
    if (o.preview && !r->no_preview && due(r, &r->drawn, o.preview_every, last))
        draw_preview(r, b);
    return 0;
}

static int watch(run *r, bool last, err *e)
{
    return o.monitor && due(r, &r->monitored, o.monitor_every, last) ? run_monitor(r, e) : 0;
}

static void warn_of_test(run *r, const batch *b)
{
    static bool warned;

    if (b->test && !warned)
        tool_note(r->t, "warning: the input holds samples of the split 'test', near '%s'; select with ssl-load --split train",
                  b->key[0]);
    warned |= b->test;
}

static int check_sample(const void *arg, const batch *b, int i, err *e)
{
    const run *r = arg;
    const objective *obj = &r->tr.obj;

    return obj->type->check ? obj->type->check(obj, r->shape, b, i, e) : 0;
}

static int train(run *r, err *e)
{
    trainer *t = &r->tr;
    const batch *b = NULL;
    int rc = 1;

    r->looked = r->drawn = r->monitored = t->step;
    while ((o.steps < 0 || t->step < o.steps) && (rc = batch_reader_next(r->batches, &b, e)) == 1) {
        warn_of_test(r, b);
        /* --monitor waits for the next batch: it runs the network on other images, and what the last step left is gone. */
        if (watch(r, false, e) || trainer_step(t, b, r->shape, e))
            return -1;
        r->moved |= t->grad_norm > 0;
        show_progress(r);
        if (report(r, b, false, e) || (o.checkpoint && t->step % o.checkpoint_every == 0 && save_checkpoint(r, e)))
            return -1;
    }
    if (rc < 0)
        return -1;
    if (t->step == 0)
        return err_set(e, ERR_INPUT, "the stream holds no samples");
    if (rc == 0 && t->step < o.steps)
        tool_note(r->t, "warning: the input ended after %" PRId64 " of %" PRId64 " steps", t->step, o.steps);
    /* Only the end of the input tells which step was the last: it may hold less than its header says. */
    return b && (report(r, b, true, e) || watch(r, true, e)) ? -1 : 0;
}

static int estimate(run *r, err *e)
{
    const batch *b;
    int rc = 0;

    graph_reset_stats(r->tr.net.g);
    for (int i = 0; i < ESTIMATE_BATCHES && (rc = batch_reader_next(r->batches, &b, e)) == 1; i++) {
        warn_of_test(r, b);
        if (trainer_estimate(&r->tr, b, r->shape, e))
            return -1;
    }
    return rc < 0 ? -1 : 0;
}

static int work(run *r, err *e)
{
    int64_t count = r->tr.sched.steps < 0 ? -1 : r->tr.sched.steps * r->size;

    if (o.log && open_log(r, e))
        return -1;
    if (o.monitor && open_monitor(r, e))
        return -1;
    if (!r->in || (o.steps == 0 && !r->estimate))
        return o.monitor ? run_monitor(r, e) : 0;
    if ((o.checkpoint && try_to_write(o.checkpoint, e)) || (o.preview && open_preview(r, e)))
        return -1;
    if (batch_reader_start(r->batches, check_sample, r, e))
        return -1;
    r->log_time = progress_clock();
    progress_start(&r->bar, 2, r->t->name, "images", r->tr.step * r->size, count, r->t->quiet);
    int rc = o.steps == 0 ? estimate(r, e) : train(r, e);
    progress_end(&r->bar);
    return rc == 0 && o.steps == 0 && o.monitor ? run_monitor(r, e) : rc;
}

/* ---- The end ------------------------------------------------------------------------------- */

/* A line of the profile: times of all threads together, operations as the direct algorithm would need them. */
static void print_share(double seconds, double total, double gflop, double peak, const char *pass, const char *layer,
                        const char *kernel)
{
    double rate = seconds > 0 ? gflop / seconds : 0;

    fprintf(stderr, "%8.3f %6.1f", seconds, total > 0 ? 100 * seconds / total : 0);
    if (gflop > 0)
        fprintf(stderr, " %9.4g %6.0f", rate, peak > 0 ? 100 * rate / peak : 0);
    else
        fprintf(stderr, " %9s %6s", "-", "-");
    fprintf(stderr, "  %-16s %-32s %s\n", pass, layer, kernel);
}

static void print_profile(run *r)
{
    static const char *const pass[] = {"forward", "backward data", "backward weights"};
    graph *g = r->tr.net.g;
    double total = 0, seconds[3] = {0}, gflop[3] = {0}, peak = graph_peak(g);

    for (int i = 0; i < graph_report_count(g); i++) {
        const layer_report *l = graph_report(g, i);
        total += l->seconds;
        seconds[l->pass] += l->seconds;
        gflop[l->pass] += l->gflop * (double)l->samples;
    }
    fprintf(stderr, "%8s %6s %9s %6s  %-16s %-32s %s\n", "seconds", "%", "GFLOP/s", "%peak", "pass", "layer", "kernel");
    for (int i = 0; i < graph_report_count(g); i++) {
        const layer_report *l = graph_report(g, i);
        if (l->samples > 0)
            print_share(l->seconds, total, l->gflop * (double)l->samples, peak, pass[l->pass], l->name, l->kernel);
    }
    for (int p = 0; p < 3; p++)
        print_share(seconds[p], total, gflop[p], peak, pass[p], "all layers", "");
    print_share(total, total, gflop[0] + gflop[1] + gflop[2], peak, "all", "all layers", "");
    fprintf(stderr, "peak: %.1f GFLOP/s\n", peak);
}

/* Stop reading, so that what is upstream may stop too. */
static void close_input(run *r)
{
    batch_reader_free(r->batches);
    r->batches = NULL;
    r->shape = NULL;
    if (!r->input_closed)
        close(r->t->in_fd);
    r->input_closed = true;
}

static int write_model(run *r, err *e)
{
    r->writing = true;
    if (trainer_save(&r->tr, &r->h, false, r->file.fd, e))
        return err_prefix(e, "'%s'", o.output);
    return out_commit(&r->file, e);
}

static void tear_down(run *r)
{
    batch_reader_free(r->batches);
    reader_free(r->in);
    trainer_clear(&r->tr);
    header_clear(&r->h);
    model_clear(&r->init);
    model_clear(&r->checkpoint);
    out_abort(&r->file);
    if (r->log_fd >= 0)
        close(r->log_fd);
    monitor_clear(&r->watched);
    free(r->watched_x);
    free(o.set.v);
}

static int run_train(tool *t, err *e)
{
    run r = {.t = t, .size = (int)o.batch, .file = {.fd = -1}, .log_fd = -1};
    int rc = parse(&r, e);

    if (rc == 0 && !t->dry_run) {
        rc = -1;
        if (tool_out_open(t, &r.file, o.output, e) || set_up(&r, e))
            goto out;
        graph_profile(r.tr.net.g, o.profile);
        if (work(&r, e))
            goto out;
        close_input(&r);
        rc = write_model(&r, e);
        if (rc == 0 && o.profile)
            print_profile(&r);
    }
out:
    if (rc && r.file.direct && !r.writing)
        stream_abort(r.file.fd, t->name, e);
    tear_down(&r);
    return rc;
}

static int list(FILE *f, err *e)
{
    (void)e;
    fputs("Encoders:\n", f);
    for (const encoder *enc = encoders; enc->name; enc++)
        fprintf(f, "  %-10s %s\n", enc->name, enc->help);
    fputs("\nObjectives, with the parameters that --set takes:\n", f);
    objective_list(f);
    fputs("\nOptimisers, with their parameters:\n", f);
    optimizer_list(f);
    fputs("\nSchedules: constant, cosine, step:factor=0.2,at=0.3/0.6/0.8\n", f);
    fputs("\nNormalisations of the input:\n", f);
    transform_list(f);
    return 0;
}

int main(int argc, char **argv)
{
    const opt opts[] = {
        {'o', "output", OPT_STRING, &o.output, "FILE", "write the model to FILE, whole or not at all (default: standard output)", 0, 0},
        {0, NULL, OPT_SECTION, NULL, NULL, "Network:", 0, 0},
        {'e', "encoder", OPT_STRING, &o.encoder, "NAME", "the encoder (default resnet18); --list names them", 0, 0},
        {0, "width", OPT_INT, &o.width, "N", "channels of its first stage (default: the encoder's own)", 1, 4096},
        {0, "stem", OPT_STRING, &o.stem, "STEM", "auto, 3x3 or 7x7; auto takes 3x3 up to 64 pixels (default auto)", 0, 0},
        {0, "projector", OPT_STRING, &o.projector, "WIDTHS", "layers between encoder and loss: none, 128, 512-128, ...\n(default: the objective's)", 0, 0},
        {0, "set", OPT_LIST, &o.set, "NAME=VALUE", "set a parameter of the objective", 0, 0},
        {0, "init", OPT_STRING, &o.init, "MODEL", "start from the weights of a model", 0, 0},
        {0, "init-parts", OPT_STRING, &o.init_parts, "PARTS", "encoder, encoder+heads, or all: the optimiser's state too\n(default encoder)", 0, 0},
        {0, NULL, OPT_SECTION, NULL, NULL, "Optimisation:", 0, 0},
        {'b', "batch", OPT_INT, &o.batch, "N", "source images in a step (default 128)", 1, 1 << 20},
        {0, "chunk", OPT_INT, &o.chunk, "N", "compute so many of them at a time, to save memory, and the loss of\nall together (default: the batch)", 1, 1 << 20},
        {0, "optimizer", OPT_STRING, &o.optimizer, "NAME", "sgd, adamw or lars, with parameters as in sgd:nesterov=0\n(default sgd)", 0, 0},
        {0, "lr", OPT_DOUBLE, &o.lr, "X", "learning rate (default: the optimiser's)", 0, 1e6},
        {0, "momentum", OPT_DOUBLE, &o.momentum, "X", "momentum of sgd and lars (default 0.9)", 0, 1},
        {0, "weight-decay", OPT_DOUBLE, &o.weight_decay, "X", "weight decay (default: the optimiser's)", 0, 1e6},
        {0, "schedule", OPT_STRING, &o.schedule, "NAME", "cosine, constant or step:factor=0.2,at=0.3/0.6/0.8\n(default cosine)", 0, 0},
        {0, "warmup", OPT_INT, &o.warmup, "N", "steps of linear warm-up (default: a fiftieth of all)", 0, 1e12},
        {0, "steps", OPT_INT, &o.steps, "N", "stop after N steps (default: at the end of the input);\n0 writes the random network", 0, 1e12},
        {0, "no-bn-estimate", OPT_FLAG, &o.no_bn_estimate, NULL, "with --steps 0, leave batch normalisation's statistics at 0 and 1", 0, 0},
        {0, "input", OPT_STRING, &o.input, "HxWxC", "with --steps 0, read nothing and make a network for such images", 0, 0},
        {'s', "seed", OPT_INT, &o.seed, "N", "seed of the initial weights (default: the stream's)", 0, 9007199254740992.0},
        {'j', "threads", OPT_INT, &o.threads, "N", "threads (default: all processors given to the process)", 1, 1024},
        {0, NULL, OPT_SECTION, NULL, NULL, "Records:", 0, 0},
        {0, "checkpoint", OPT_STRING, &o.checkpoint, "FILE", "save the whole state there, again and again", 0, 0},
        {0, "checkpoint-every", OPT_INT, &o.checkpoint_every, "N", "every N steps (default 500)", 1, 1e12},
        {0, "resume", OPT_FLAG, &o.resume, NULL, "go on from the checkpoint, if there is one", 0, 0},
        {0, "log", OPT_STRING, &o.log, "FILE", "write measures as lines of JSON", 0, 0},
        {0, "log-every", OPT_INT, &o.log_every, "N", "every N steps (default 50)", 1, 1e12},
        {0, "monitor", OPT_STRING, &o.monitor, "FILE", "a stream of labelled images: log the accuracy of nearest neighbours", 0, 0},
        {0, "monitor-every", OPT_INT, &o.monitor_every, "N", "every N steps (default 500)", 1, 1e12},
        {0, "preview", OPT_STRING, &o.preview, "DIR", "draw sheets of what the network answers there, where that is images:\nstep-0000500.png and so on, and one after the last step", 0, 0},
        {0, "preview-every", OPT_INT, &o.preview_every, "N", "every N steps (default 500)", 1, 1e12},
        {0, "profile", OPT_FLAG, &o.profile, NULL, "at the end, a table of time and speed by layer", 0, 0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
    };
    tool t = {
        .name = "ssl-train",
        .synopsis = "[option ...] -o FILE < EXAMPLES",
        .about = "Trains an encoder on a stream of examples, whose header declares the objective.\n"
                 "Writes a model, for ssl-embed.",
        .opts = opts,
        .examples = "  ssl-load photos --split train --size 32 --epochs 30 --shuffle |\n"
                    "    ssl-augment crop:32,pad=4 flip | ssl-pretext rotate |\n"
                    "    ssl-train --encoder resnet18 --checkpoint rot.ckpt --resume --log rot.log -o rot.model\n"
                    "  ... | ssl-train --optimizer adamw --lr 3e-4 --schedule step:at=0.5/0.75 -o a.model\n"
                    "  ... | ssl-train --steps 0 -o random.model      # the random-init baseline\n",
        .run = run_train,
        .list = list,
    };

    return tool_main(&t, argc, argv);
}
