#include "eval/monitor.h"

#include "base/io.h"
#include "eval/knn.h"
#include "stream/stream.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct growing {
    monitor *m;
    size_t cap;
    bool *training; /* [n]: of the split "train" */
} growing;

static int grow(growing *g, err *e)
{
    monitor *m = g->m;
    size_t cap = g->cap ? 2 * g->cap : 256, bytes = (size_t)m->H * (size_t)m->W * (size_t)m->C;

    if (m->n < g->cap)
        return 0;
    uint8_t *image = realloc(m->image, cap * bytes);
    if (!image)
        return err_nomem(e);
    m->image = image;
    int32_t *label = realloc(m->label, cap * sizeof *label);
    if (!label)
        return err_nomem(e);
    m->label = label;
    uint64_t *id = realloc(m->id, cap * sizeof *id);
    if (!id)
        return err_nomem(e);
    m->id = id;
    bool *training = realloc(g->training, cap * sizeof *training);
    if (!training)
        return err_nomem(e);
    g->training = training;
    g->cap = cap;
    return 0;
}

static int add(growing *g, const sample *s, const header *h, err *e)
{
    monitor *m = g->m;
    const field *class = sample_find(s, "class");
    const tensor *t = sample_tensor(s, "image", DT_U1, 3, e);
    int64_t label = sample_int(s, "label", -1);
    char split[16];

    if (!t)
        return -1;
    if (t->shape[0] != m->H || t->shape[1] != m->W || t->shape[2] != m->C)
        return err_set(e, ERR_INPUT, "the image is %lld x %lld x %lld where the network's input is %d x %d x %d (ssl-load --size)",
                       (long long)t->shape[0], (long long)t->shape[1], (long long)t->shape[2], m->H, m->W, m->C);
    if (grow(g, e))
        return -1;
    if (class && class->type == FIELD_STR)
        m->label[m->n] = names_number(&m->classes, class->str.p, class->str.n, e);
    else if (h->classes && label >= 0 && (size_t)label < h->classes->n)
        m->label[m->n] = names_number(&m->classes, h->classes->child[label]->s, h->classes->child[label]->n, e);
    else
        return err_set(e, ERR_INPUT, "no class; labelled images are needed here");
    if (m->label[m->n] < 0)
        return -1;
    memcpy(m->image + m->n * t->bytes, t->data, t->bytes);
    m->id[m->n] = m->n;
    g->training[m->n++] = strcmp(sample_str(s, "split", split, sizeof split), "train") == 0;
    return 0;
}

/* Where there are no two splits, every second image of each class is for training: an order of classes does no harm. */
static int halve(const monitor *m, bool *training, err *e)
{
    bool *second = calloc((size_t)m->classes.n, sizeof *second);

    if (!second)
        return err_nomem(e);
    for (size_t i = 0; i < m->n; i++) {
        training[i] = !second[m->label[i]];
        second[m->label[i]] = training[i];
    }
    free(second);
    return 0;
}

static size_t count(const bool *v, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return sum;
}

static int deal(monitor *m, bool *training, err *e)
{
    size_t of_train = count(training, m->n);

    if (m->n == 0)
        return err_set(e, ERR_INPUT, "the stream holds no samples");
    if ((of_train == 0 || of_train == m->n) && halve(m, training, e))
        return -1;
    m->n_train = count(training, m->n);
    if (m->n_train == m->n)
        return err_set(e, ERR_INPUT, "no class has two images");
    m->train = malloc(m->n * sizeof *m->train);
    if (!m->train)
        return err_nomem(e);
    m->test = m->train + m->n_train;
    size_t at = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (training[i])
            m->train[at++] = (uint32_t)i;
        else
            m->test[m->n_test++] = (uint32_t)i;
    }
    return 0;
}

int monitor_load(monitor *m, const char *path, int H, int W, int C, err *e)
{
    growing g = {.m = m};
    sample s;
    int fd = io_open_read(path, e), rc = -1;

    *m = (monitor){.H = H, .W = W, .C = C};
    if (fd < 0)
        return -1;
    reader *r = reader_new(fd, 0, e);
    if (r && header_expect(reader_header(r), e, KIND_IMAGES, (char *)NULL) == 0) {
        while ((rc = reader_next(r, &s, e)) == 1)
            if (add(&g, &s, reader_header(r), e)) {
                rc = reader_where(r, e);
                break;
            }
        if (rc == 0)
            rc = deal(m, g.training, e);
    }
    reader_free(r);
    close(fd);
    free(g.training);
    return rc ? err_prefix(e, "'%s'", path) : 0;
}

void monitor_clear(monitor *m)
{
    free(m->image);
    free(m->label);
    free(m->id);
    free(m->train);
    names_clear(&m->classes);
    *m = (monitor){0};
}

double monitor_score(const monitor *m, const float *x, int dim, int threads, err *e)
{
    features f = {x, m->label, m->id, m->n, dim, m->classes.n};
    int k = m->n_train < MONITOR_NEIGHBOURS ? (int)m->n_train : MONITOR_NEIGHBOURS;
    int32_t *predicted = malloc(m->n_test * sizeof *predicted);
    size_t right = 0;

    if (!predicted)
        return err_nomem(e);
    int rc = knn_predict(&f, (rows){m->train, m->n_train}, (rows){m->test, m->n_test}, &k, 1, MONITOR_TEMPERATURE, threads, predicted, e);
    for (size_t i = 0; i < m->n_test && rc == 0; i++)
        right += predicted[i] == m->label[m->test[i]];
    free(predicted);
    return rc ? -1 : (double)right / (double)m->n_test;
}
