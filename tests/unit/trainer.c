/* Checkpoints: an objective's own state goes in and comes out; models are found, named and refused. */
#include "nn/trainer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An objective with a memory: it remembers how often each index came by. */
enum { ROWS = 10, D = 3 };

static const batch_field no_fields[] = {{0}};
static const param no_params[] = {{0}};

static int configure(objective *o, const value *declared, err *e)
{
    (void)declared;
    o->own = calloc(ROWS, sizeof(int32_t));
    return o->own ? 0 : err_nomem(e);
}

static int build(objective *o, graph *g, const objective_nodes *at, const batch_shape *shape, err *e)
{
    (void)o, (void)shape, (void)e;
    graph_output(g, at->z);
    return 0;
}

static int loss(objective *o, graph *g, const objective_step *s, objective_result *r, err *e)
{
    (void)o, (void)g, (void)e;
    *r = (objective_result){.loss = s->b->n, .bad = -1};
    return 0;
}

static int update(objective *o, graph *g, const objective_step *s, err *e)
{
    (void)g, (void)e;
    for (int i = 0; i < s->b->n; i++)
        ((int32_t *)o->own)[s->b->index[i]]++;
    return 0;
}

static bool state(objective *o, int i, objective_tensor *t)
{
    *t = (objective_tensor){"seen", DT_I4, 1, {ROWS}, o->own};
    return i == 0;
}

static void clear(objective *o)
{
    free(o->own);
}

static const objective_type remember = {
    .name = "remember", .params = no_params, .fields = no_fields, .projector = "none", .configure = configure,
    .build = build, .loss = loss, .update = update, .state = state, .clear = clear,
};

static const batch_shape shape = {.type = DT_F4, .P = 1, .C = D, .field = no_fields};

static void start(trainer *t)
{
    err e = {0};

    *t = (trainer){.arch = {.enc = encoder_find("identity"), .C = D, .projector = "4-2"}, .seed = 5};
    t->obj.type = &remember;
    cr_assert_eq(remember.configure(&t->obj, NULL, &e), 0);
    cr_assert_eq(optimizer_parse(&t->opt, "sgd", &e), 0);
    cr_assert_eq(schedule_parse(&t->sched, "constant", &e), 0);
    cr_assert_eq(trainer_start(t, &shape, 4, ROWS, 1, &e), 0, "%s", e.msg);
}

static void step(trainer *t, int64_t first)
{
    float input[4 * D] = {1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3};
    int64_t index[4], pos[4], epoch[4] = {0};
    char key[4][128] = {"a", "b", "c", "d"};
    err e = {0};

    for (int i = 0; i < 4; i++) {
        pos[i] = first + i;
        index[i] = (first + i) % ROWS;
    }
    batch b = {.n = 4, .input = (uint8_t *)input, .index = index, .pos = pos, .epoch = epoch, .key = key};
    cr_assert_eq(trainer_step(t, &b, &shape, &e), 0, "%s", e.msg);
}

static void save(trainer *t, const char *path, bool checkpoint)
{
    header h;
    err e = {0};
    FILE *f = fopen(path, "w");

    cr_assert_eq(header_init(&h, KIND_MODEL, &e), 0);
    cr_assert_eq(network_arch_write(&t->arch, &h, &e), 0);
    cr_assert_eq(trainer_save(t, &h, checkpoint, fileno(f), &e), 0, "%s", e.msg);
    fclose(f);
    header_clear(&h);
}

static void path_for(char path[64], const char *name)
{
    snprintf(path, 64, "/tmp/trainer-%ld-%s", (long)getpid(), name);
}

Test(trainer, a_checkpoint_holds_the_objectives_state)
{
    trainer a, b;
    model m;
    char path[64];
    int64_t pos;
    err e = {0};

    path_for(path, "state");
    start(&a);
    step(&a, 0);
    step(&a, 4);
    step(&a, 8);
    save(&a, path, true);
    cr_assert_eq(model_load(&m, path, &e), 0, "%s", e.msg);
    cr_assert_eq(trainer_checkpoint_pos(&m, &pos, &e), 0);
    cr_assert_eq(pos, 12);

    start(&b);
    cr_assert_eq(trainer_resume(&b, &m, &e), 0, "%s", e.msg);
    cr_assert_eq(b.step, 3);
    cr_assert_eq(b.opt.steps, 3);
    cr_assert_eq(memcmp(a.obj.own, b.obj.own, ROWS * sizeof(int32_t)), 0);
    cr_assert_eq(((int32_t *)b.obj.own)[1], 2);
    cr_assert_eq(b.meter.loss, 12);
    cr_assert_eq(memcmp(graph_weights(a.net.g), graph_weights(b.net.g), graph_weights_count(a.net.g) * sizeof(float)), 0);
    model_clear(&m);
    trainer_clear(&a);
    trainer_clear(&b);
    unlink(path);
}

Test(trainer, a_model_is_no_checkpoint)
{
    trainer a;
    model m;
    char path[64];
    int64_t pos;
    err e = {0};

    path_for(path, "model");
    start(&a);
    save(&a, path, false);
    cr_assert_eq(model_load(&m, path, &e), 0, "%s", e.msg);
    cr_assert_eq(trainer_checkpoint_pos(&m, &pos, &e), -1);
    cr_assert_eq(e.kind, ERR_INPUT);
    cr_assert_eq(trainer_init_from(&a, &m, PARTS_HEADS, &e), 0);
    cr_assert_eq(trainer_init_from(&a, &m, PARTS_ALL, &e), -1);
    cr_assert_eq(e.kind, ERR_INPUT);
    cr_assert_not_null(model_find(&m, "projector.3.weight"));
    cr_assert_null(model_find(&m, "objective.seen"));
    model_clear(&m);
    trainer_clear(&a);
    unlink(path);
}

Test(trainer, a_model_of_another_version_is_refused)
{
    trainer a;
    header h;
    model m;
    char path[64];
    err e = {0};

    path_for(path, "version");
    start(&a);
    cr_assert_eq(header_init(&h, KIND_MODEL, &e), 0);
    cr_assert_eq(network_arch_write(&a.arch, &h, &e), 0);
    value_set(value_get_mutable(h.extra, "model"), "version", value_int(MODEL_VERSION + 1));
    FILE *f = fopen(path, "w");
    cr_assert_eq(trainer_save(&a, &h, false, fileno(f), &e), 0);
    fclose(f);
    cr_assert_eq(model_load(&m, path, &e), -1);
    cr_assert_eq(e.kind, ERR_INPUT);
    cr_assert(strstr(e.msg, "version 2") && strstr(e.msg, path), "%s", e.msg);
    model_clear(&m);
    header_clear(&h);
    trainer_clear(&a);
    unlink(path);
}
