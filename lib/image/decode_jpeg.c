#include "image/decode_impl.h"

#include "base/buf.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

/* Real progressive files have about ten scans; thousands over a large image are an attack on the reader's time. */
enum { MAX_SCANS = 500 };

/*
 * Rows are decoded into a few lines of our own, and copied while they are in
 * the cache: where a row is aligned to 32 bytes, libjpeg-turbo writes it past
 * the caches, to memory, and whoever reads the pixels next waits for them.
 */
enum { ROWS = 8, ASKEW = 8 };

struct jpeg {
    struct jpeg_decompress_struct c; /* first: libjpeg hands it back */
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf fail;
    buf lines;
    err *e;
};

static jpeg *of(j_common_ptr c)
{
    return (jpeg *)(void *)c;
}

static _Noreturn void on_error(j_common_ptr c)
{
    jpeg *j = of(c);
    char msg[JMSG_LENGTH_MAX];

    if (c->err->msg_code == JERR_OUT_OF_MEMORY) {
        err_nomem(j->e);
    } else {
        c->err->format_message(c, msg);
        if (isupper((unsigned char)msg[0]) && islower((unsigned char)msg[1]))
            msg[0] = (char)tolower((unsigned char)msg[0]);
        err_set(j->e, ERR_INPUT, "%s", msg);
    }
    longjmp(j->fail, 1);
}

/* libjpeg only warns about lost image data and makes up the rest: here that is an error. */
static void on_message(j_common_ptr c, int level)
{
    if (level >= 0)
        return;
    switch (c->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA: /* bytes between segments: padding, as some cameras and editors write */
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_BOGUS_ICC:
    case JWRN_BOGUS_PROGRESSION:
        return;
    default:
        on_error(c);
    }
}

static void on_progress(j_common_ptr c)
{
    jpeg *j = of(c);

    if (j->c.input_scan_number > MAX_SCANS) {
        err_set(j->e, ERR_INPUT, "the JPEG file has more than %d scans", MAX_SCANS);
        longjmp(j->fail, 1);
    }
}

static int create(jpeg *j)
{
    if (setjmp(j->fail))
        return -1;
    jpeg_create_decompress(&j->c);
    jpeg_save_markers(&j->c, JPEG_APP0 + 1, 0xffff); /* EXIF */
    jpeg_save_markers(&j->c, JPEG_APP0 + 2, 0xffff); /* ICC */
    return 0;
}

jpeg *jpeg_new(err *e)
{
    jpeg *j = calloc(1, sizeof *j);

    if (!j) {
        err_nomem(e);
        return NULL;
    }
    j->e = e;
    j->c.err = jpeg_std_error(&j->errors);
    j->errors.error_exit = on_error;
    j->errors.emit_message = on_message;
    j->progress.progress_monitor = on_progress;
    if (create(j)) {
        jpeg_free(j);
        return NULL;
    }
    j->c.progress = &j->progress;
    return j;
}

void jpeg_free(jpeg *j)
{
    if (!j)
        return;
    jpeg_destroy_decompress(&j->c);
    buf_free(&j->lines);
    free(j);
}

bool jpeg_is(const uint8_t *p, size_t n)
{
    return n >= 3 && p[0] == 0xff && p[1] == 0xd8 && p[2] == 0xff;
}

static int orientation_of(const struct jpeg_decompress_struct *c)
{
    for (jpeg_saved_marker_ptr m = c->marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length > 6 && memcmp(m->data, "Exif\0", 6) == 0)
            return exif_orientation(m->data + 6, m->data_length - 6);
    return 1;
}

/* Of a profile in several markers the first one, which has its description, is enough. */
static bool other_colours(const struct jpeg_decompress_struct *c)
{
    static const char name[] = "ICC_PROFILE"; /* then the number of this marker and that of all */
    const size_t head = sizeof name + 2;

    for (jpeg_saved_marker_ptr m = c->marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 2 && m->data_length > head && memcmp(m->data, name, sizeof name) == 0 && m->data[sizeof name] == 1)
            return !icc_is_srgb(m->data + head, m->data_length - head);
    return false;
}

/* The eighths at which to decode, 1..8. */
static unsigned scale_for(const decode_opts *o, unsigned w, unsigned h)
{
    unsigned side = w < h ? w : h, n = 8;

    if (o->size > 0) {
        while (n > 1 && side * (n / 2) / 8 >= 2u * (unsigned)o->size)
            n /= 2;
    } else if (o->shrink > 0) {
        while (n > 1 && (side * (n - 1) + 7) / 8 >= (unsigned)o->shrink)
            n--;
    }
    return n;
}

int jpeg_decode(jpeg *j, const decode_opts *o, const uint8_t *p, size_t n, image *out, int *orientation, err *e)
{
    struct jpeg_decompress_struct *c = &j->c;

    j->e = e;
    if (setjmp(j->fail)) {
        jpeg_abort_decompress(c);
        return -1;
    }
    jpeg_mem_src(c, p, n);
    jpeg_read_header(c, TRUE);
    if ((c->num_components != 1 && c->num_components != 3) || other_colours(c)) {
        jpeg_abort_decompress(c);
        return 0;
    }
    if (decode_check_size(o, c->image_width, c->image_height, e)) {
        jpeg_abort_decompress(c);
        return -1;
    }
    *orientation = orientation_of(c);
    c->out_color_space = c->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    c->scale_num = scale_for(o, c->image_width, c->image_height);
    c->scale_denom = 8;
    jpeg_start_decompress(c);
    if (image_shape(out, (int)c->output_height, (int)c->output_width, c->output_components, e)) {
        jpeg_abort_decompress(c);
        return -1;
    }
    size_t row = (size_t)out->w * (size_t)out->c;
    if (buf_reserve(&j->lines, ROWS * row + ASKEW, e)) {
        jpeg_abort_decompress(c);
        return -1;
    }
    while (c->output_scanline < c->output_height) {
        JSAMPROW rows[ROWS];
        uint8_t *to = out->p + c->output_scanline * row;
        for (unsigned k = 0; k < ROWS; k++)
            rows[k] = j->lines.p + ASKEW + k * row;
        unsigned got = jpeg_read_scanlines(c, rows, ROWS);
        memcpy(to, rows[0], got * row);
    }
    jpeg_finish_decompress(c); /* reads on to the end marker */
    return 1;
}
