/* ssl-pretext: turn images into inputs and targets, and declare the objective. */
#include "tool.h"

#include "base/buf.h"
#include "base/io.h"
#include "base/pool.h"
#include "base/progress.h"
#include "nn/transform.h"
#include "pretext/pretext.h"
#include "stream/filter.h"

#include <string.h>

static int64_t seed = -1, threads;
static bool keep, estimate;
static const char *normalize, *assign;

static const opt opts[] = {
    {0, "assign", OPT_STRING, &assign, "FILE", "of the task cluster: the assignments, written by ssl-cluster", 0, 0},
    {0, "keep", OPT_FLAG, &keep, NULL, "keep the fields image and views, for a person to look at", 0, 0},
    {0, "normalize", OPT_STRING, &normalize, "NAME", "how the trainer is to normalise the inputs: imagenet, cifar10,\n"
     "gray, lab, image for each image by itself, or none (default: what\nthe task declares; else gray for one channel, imagenet for three)", 0, 0},
    {0, "estimate", OPT_FLAG, &estimate, NULL, "print what the task wants to know of the data (colorize: how often\ncolours occur, for weights=FILE), instead of examples", 0, 0},
    {0, "seed", OPT_INT, &seed, "N", "of the task's random decisions (default: the input's)", 0, 9e18},
    {'j', "jobs", OPT_INT, &threads, "N", "threads (default: the processors at hand); the output does not\ndepend on it", 1, 1024},
    {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
};

static int list(FILE *f, err *e)
{
    (void)e;
    fputs("Tasks, with their parameters (defaults):\n", f);
    for (const pretext_task *const *t = pretext_tasks; *t; t++) {
        fprintf(f, "  %-12s %s\n", (*t)->name, (*t)->help);
        for (const pretext_param *q = (*t)->params; q && q->name; q++)
            fprintf(f, "      %-10s %s (%s)\n", q->name, q->help, q->standard ? q->standard : "required");
    }
    return 0;
}

typedef struct stage {
    pretext task;
    progress bar;
} stage;

static int work(const sample *in, frame *to, int worker, void *arg, err *e)
{
    stage *s = arg;

    return pretext_sample(&s->task, in, to, keep, worker, e);
}

static int each(int64_t done, void *arg)
{
    stage *s = arg;

    progress_update(&s->bar, done, NULL);
    return 0;
}

/* The parameters that the history remembers, in resolved form. */
static value *record(const pretext *p, const header *h)
{
    value *v = value_map();

    value_set(v, "task", value_str(p->task->name));
    for (size_t i = 0; i < p->params->n; i++)
        value_set(v, p->params->key[i], value_copy(p->params->child[i]));
    value_set(v, "keep", value_bool(keep));
    value_set(v, "normalize", value_str(value_get_str(h->input_transform, "normalize", "")));
    return v;
}

static int set_up(stage *s, header *h, err *e)
{
    history_parent other = {NULL, NULL};

    if (seed >= 0)
        h->seed = (uint64_t)seed;
    if (pretext_declare(&s->task, h, h->seed, keep, (int)threads, e))
        return -1;
    if (normalize)
        value_set(h->input_transform, "normalize", value_str(normalize));
    if (value_failed(h->input_transform))
        return err_nomem(e);
    other.role = s->task.role;
    if (s->task.history && history_merge(h, s->task.history, &other.id, e))
        return -1;
    return history_add(h, "ssl-pretext", record(&s->task, h), &other, other.id ? 1 : 0, e);
}

/* The names are those of the trainer's table. */
static int check_normalize(err *e)
{
    value *declared = value_map();
    transform t;

    value_set(declared, "normalize", value_str(normalize ? normalize : "imagenet"));
    int rc = value_failed(declared) ? err_nomem(e) : transform_resolve(&t, declared, 3, e);
    if (rc && e->kind == ERR_INPUT)
        e->kind = ERR_USAGE;
    value_free(declared);
    return rc;
}

/* --estimate: text instead of a stream. */
static int observe_all(stage *s, tool *t, reader *r, err *e)
{
    sample in;
    buf text = {0};
    int rc;

    while ((rc = reader_next(r, &in, e)) == 1) {
        if (s->task.task->observe(&s->task, &in, e)) {
            rc = reader_where(r, e);
            break;
        }
        progress_update(&s->bar, reader_count(r), NULL);
    }
    if (rc == 0)
        rc = s->task.task->report(&s->task, &text, e) || io_write(t->out_fd, text.p, text.n, e) ? -1 : 0;
    buf_free(&text);
    return rc;
}

static int run(tool *t, err *e)
{
    stage s = {0};
    header h = {0};
    reader *r = NULL;
    int rc = -1;

    t->writes_stream = !estimate;
    if (estimate && keep)
        return err_set(e, ERR_USAGE, "--estimate prints no examples, so there is nothing for --keep to keep");
    if (check_normalize(e) || pretext_init(&s.task, t->operands[0], e))
        return -1;
    if (s.task.task->assigned != (assign != NULL)) {
        err_set(e, ERR_USAGE, assign ? "%s: --assign is for the task cluster" : "%s needs --assign FILE, written by ssl-cluster",
                s.task.task->name);
        goto out;
    }
    s.task.assign = assign;
    if (estimate && !s.task.task->observe) {
        err_set(e, ERR_USAGE, "%s: there is nothing to estimate", s.task.task->name);
        goto out;
    }
    if (t->dry_run) {
        rc = 0;
        goto out;
    }
    if (!threads)
        threads = pool_cpus();
    r = reader_new(t->in_fd, 0, e);
    if (!r || header_copy(&h, reader_header(r), e) || set_up(&s, &h, e))
        goto out;

    filter f = {t->name, (int)threads, work, &s, each};
    progress_start(&s.bar, 2, t->name, "images", 0, h.count, t->quiet || !tool_is_last(t));
    t->writes_stream = false;
    rc = estimate ? observe_all(&s, t, r, e) : filter_run(&f, r, &h, t->out_fd, e);
    progress_end(&s.bar);
out:
    reader_free(r);
    header_clear(&h);
    pretext_clear(&s.task);
    return rc;
}

int main(int argc, char **argv)
{
    tool t = {
        .name = "ssl-pretext",
        .synopsis = "[option ...] task[:parameter=value,...]",
        .about = "Turn images or views into examples: inputs and targets, with the objective that\n"
                 "a trainer is to optimise declared in the header.",
        .opts = opts,
        .examples = "  ssl-load photos/ --size 32 | ssl-pretext rotate | ssl-train -o rot.model\n"
                    "  ssl-load photos/ --size 32 | ssl-pretext rotate:angles=2 | ssl-show -o sheet.png\n",
        .min_operands = 1,
        .max_operands = 1,
        .writes_stream = true,
        .run = run,
        .list = list,
    };
    return tool_main(&t, argc, argv);
}
