#include "image/preview.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"given", "answer", "truth"};

struct preview {
    header h;
    sheet *sheet;
    frame f;
};

/* A header of examples with three images, and with h's history. */
static int make_header(header *to, const header *h, err *e)
{
    int64_t any[3] = {-1, -1, -1};

    if (header_init(to, KIND_EXAMPLES, e))
        return -1;
    value_free(to->history);
    to->history = value_copy(h->history);
    if (h->history && value_failed(to->history))
        return err_nomem(e);
    for (int i = 0; i < 3; i++)
        if (header_set_field(to, names[i], "|u1", 3, any, e))
            return -1;
    return 0;
}

preview *preview_new(const header *h, err *e)
{
    preview *p = calloc(1, sizeof *p);

    if (!p) {
        err_nomem(e);
        return NULL;
    }
    if (make_header(&p->h, h, e) || !(p->sheet = sheet_new(&p->h, NULL, e))) {
        preview_free(p);
        return NULL;
    }
    return p;
}

void preview_free(preview *p)
{
    if (!p)
        return;
    sheet_free(p->sheet);
    frame_free(&p->f);
    header_clear(&p->h);
    free(p);
}

int preview_add(preview *p, const char *key, preview_image given, preview_image answer, preview_image truth, err *e)
{
    const preview_image *all[] = {&given, &answer, &truth};
    sample s;

    frame_begin(&p->f, FRAME_SAMPLE);
    frame_str(&p->f, "key", key, strlen(key));
    for (int i = 0; i < 3; i++) {
        int64_t shape[3] = {all[i]->h, all[i]->w, all[i]->c};
        uint8_t *dst = frame_tensor(&p->f, names[i], DT_U1, 3, shape);
        if (dst)
            memcpy(dst, all[i]->pixels, (size_t)(shape[0] * shape[1] * shape[2]));
    }
    if (frame_end(&p->f, e) || frame_sample(&p->f, &s, e))
        return -1;
    return sheet_add(p->sheet, &s, e);
}

int preview_png(preview *p, buf *out, bool *text, err *e)
{
    return sheet_png(p->sheet, out, text, e);
}
