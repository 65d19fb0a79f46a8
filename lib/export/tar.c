/*
 * A tar of PNG files (POSIX ustar, pax headers for long names), named by the
 * samples' keys: a WebDataset, which ssl-load reads; `tar x` makes it a folder.
 * Written sample by sample, in constant memory.
 */
#include "base/io.h"
#include "export/export.h"
#include "image/encode.h"

#include <string.h>

enum { BLOCK = 512, MAX_NAME = 4096 };

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
    char record[MAX_NAME + 32];

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

/* Whether a path would leave the folder that it is unpacked in. */
static bool leaves(const char *path)
{
    for (const char *s = path; s; s = strchr(s, '/') ? strchr(s, '/') + 1 : NULL) {
        size_t n = strcspn(s, "/");
        if (n == 0 || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
            return true;
    }
    return false;
}

/*
 * The key without its extension; other dots of a file's name would end its key
 * in a WebDataset. Where it is not in a folder of its class, that and the split
 * come before it.
 */
static int member_name(const sample *s, char name[MAX_NAME], err *e)
{
    char key[MAX_NAME / 2], class[512], split[64];

    sample_str(s, "key", key, sizeof key);
    sample_str(s, "class", class, sizeof class);
    sample_str(s, "split", split, sizeof split);
    char *slash = strrchr(key, '/'), *base = slash ? slash + 1 : key, *dot = strrchr(base, '.');
    if (dot && dot > base)
        *dot = '\0';
    for (char *p = base; *p; p++)
        *p = *p == '.' ? '_' : *p;
    size_t n = strlen(class);
    bool placed = !n || (slash && (size_t)(slash - key) >= n && memcmp(slash - n, class, n) == 0 && (slash - n == key || slash[-(ptrdiff_t)n - 1] == '/'));
    snprintf(name, MAX_NAME, "%s%s%s%s%s.png", placed ? "" : split, placed || !*split ? "" : "/", placed ? "" : class, placed ? "" : "/", key);
    return leaves(name) ? err_set(e, ERR_INPUT, "the name '%.200s' leads out of an archive's folder", name) : 0;
}

static int save_image(const sample *s, int fd, buf *png, err *e)
{
    const tensor *t = sample_tensor(s, "image", DT_U1, 3, e);
    char name[MAX_NAME];

    if (!t)
        return -1;
    if ((t->shape[2] != 1 && t->shape[2] != 3) || t->shape[0] < 1 || t->shape[1] < 1)
        return err_set(e, ERR_INPUT, "the image has %d channels, or no pixels", (int)t->shape[2]);
    const image im = {.h = (int)t->shape[0], .w = (int)t->shape[1], .c = (int)t->shape[2], .p = (uint8_t *)(uintptr_t)t->data};
    png->n = 0;
    return member_name(s, name, e) || image_png(&im, png, e) || put_member(fd, name, png, e) ? -1 : 0;
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

const export_format export_tar = {"tar", "images as PNG files named by their keys, a WebDataset; ssl-load reads it", NULL, save, NULL};
