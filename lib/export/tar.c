/*
 * A tar of PNG files (POSIX ustar, pax headers for long names), named by the
 * samples' keys: a WebDataset, which ssl-load reads; `tar x` makes it a folder.
 * Written sample by sample, in constant memory.
 */
#include "base/io.h"
#include "export/export.h"
#include "export/images.h"
#include "image/encode.h"

#include <string.h>

enum { BLOCK = 512 };

/* A header of one member; what it holds is put by the caller. */
static int put_header(int fd, const char *name, char type, size_t size, err *e)
{
    char h[BLOCK] = {0};
    unsigned sum = 0;

    memcpy(h, name, strnlen(name, 100));
    memcpy(h + 100, "0000644", 8);
    memcpy(h + 108, "0000000", 8);
    memcpy(h + 116, "0000000", 8);
    snprintf(h + 124, 12, "%011llo", (unsigned long long)size);
    memcpy(h + 136, "00000000000", 12); /* no time: the same images give the same bytes */
    memset(h + 148, ' ', 8);
    h[156] = type;
    memcpy(h + 257, "ustar\0" "00", 8);
    for (int i = 0; i < BLOCK; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    return io_write(fd, h, sizeof h, e);
}

static int put_data(int fd, const void *p, size_t n, err *e)
{
    static const char zeros[BLOCK];

    return io_write(fd, p, n, e) || io_write(fd, zeros, (BLOCK - n % BLOCK) % BLOCK, e) ? -1 : 0;
}

/* A long name goes before, as a pax record: "LENGTH path=NAME\n", its own length included. */
static int put_member(int fd, const char *name, const buf *data, err *e)
{
    char record[IMAGES_MAX_NAME + 32];

    if (strlen(name) > 100) {
        size_t n = strlen(name) + 7, digits = 1; /* " path=" and the line's end */
        for (size_t limit = 10; n + digits >= limit; limit *= 10)
            digits++;
        snprintf(record, sizeof record, "%zu path=%s\n", n + digits, name);
        if (put_header(fd, "PaxHeader", 'x', n + digits, e) || put_data(fd, record, n + digits, e))
            return -1;
    }
    return put_header(fd, name, '0', data->n, e) || put_data(fd, data->p, data->n, e) ? -1 : 0;
}

static int save_image(const sample *s, int fd, buf *png, err *e)
{
    char name[IMAGES_MAX_NAME];
    image im;

    png->n = 0;
    return images_pixels(s, &im, e) || images_name(s, "png", name, e) || image_png(&im, png, e) || put_member(fd, name, png, e) ? -1 : 0;
}

static int save(reader *r, const export_options *o, int fd, err *e)
{
    static const char end[2 * BLOCK];
    sample s;
    buf png = {0};
    int rc = -1;
    (void)o;

    if (header_expect(reader_header(r), e, KIND_IMAGES, NULL))
        return -1;
    while ((rc = reader_next(r, &s, e)) > 0)
        if (save_image(&s, fd, &png, e)) {
            rc = reader_where(r, e);
            break;
        }
    if (rc == 0)
        rc = io_write(fd, end, sizeof end, e);
    buf_free(&png);
    return rc;
}

const export_format export_tar = {"tar", "images as PNG files named by their keys, a WebDataset; ssl-load reads it", NULL, save, NULL, NULL};
