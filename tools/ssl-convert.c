/* ssl-convert: streams to the formats of other programs, and back. */
#include "tool.h"

#include "base/buf.h"
#include "base/io.h"
#include "export/export.h"
#include "stream/stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *to, *from, *output;
static bool all;
static int64_t size, channels, quality = 90;

static const opt opts[] = {
    {'o', "output", OPT_STRING, &output, "FILE", "write FILE, in the format of its suffix (default: standard output);\nFOLDER/: a folder of images", 0, 0},
    {'t', "to", OPT_STRING, &to, "FORMAT", "write this format; stream is ours", 0, 0},
    {'f', "from", OPT_STRING, &from, "FORMAT", "the input is of this format (default: by a look at it)", 0, 0},
    {0, "all", OPT_FLAG, &all, NULL, "of a model, write heads and projectors too (default: the encoder)", 0, 0},
    {0, "size", OPT_INT, &size, "N", "images that a model from elsewhere takes are N x N pixels\n(default: 224, or 32 with a 3x3 stem)", 1, 16384},
    {0, "quality", OPT_INT, &quality, "N", "of JPEG files, 1 to 100 (default 90)", 1, 100},
    {0, "channels", OPT_INT, &channels, "N", "images that an ONNX graph takes have N channels, 1 or 3 (default:\nas those that it was trained on)", 1, 3},
    {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
};

static int list(FILE *f, err *e)
{
    (void)e;
    export_list(f);
    return 0;
}

static int unknown(const char *name, err *e)
{
    const char *names[16] = {"stream"};
    int n = 1;

    for (; export_formats[n - 1]; n++)
        names[n] = export_formats[n - 1]->name;
    const char *near = opt_nearest(name, names, n);
    if (near)
        return err_set(e, ERR_USAGE, "unknown format '%s'; did you mean '%s'?", name, near);
    return err_set(e, ERR_USAGE, "unknown format '%s'; --list names them", name);
}

/* The format to write; NULL: a stream. */
static int target(const export_format **f, err *e)
{
    *f = to && strcmp(to, "stream") != 0 ? export_find(to) : !to && output ? export_for_path(output) : NULL;
    return to && !*f && strcmp(to, "stream") != 0 ? unknown(to, e) : 0;
}

/* The whole input behind what has been seen of it. */
static int read_all(int fd, buf *b, err *e)
{
    ssize_t n;

    do {
        if (buf_reserve(b, b->n < 1 << 20 ? 1 << 16 : b->n / 2, e))
            return -1;
        n = io_read(fd, b->p + b->n, b->cap - b->n, e);
        b->n += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    return n < 0 ? -1 : 0;
}

/* Enough of the input to see what it is, or all of it. */
static int look(int fd, buf *b, err *e)
{
    ssize_t n = 1;

    if (buf_reserve(b, 64, e))
        return -1;
    while (b->n < STREAM_SNIFF && n > 0) {
        n = io_read(fd, b->p + b->n, 64 - b->n, e);
        b->n += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? -1 : b->n == 0 ? err_set(e, ERR_INPUT, "empty input") : 0;
}

static int export(const buf *seen, int in, const export_format *f, int fd, err *e)
{
    const export_options o = {.all = all, .size = size, .channels = channels, .quality = quality};

    if (!f && !to && !output)
        return err_set(e, ERR_USAGE, "the input is a stream; say what to write, by --to FORMAT or -o FILE.FORMAT");
    if (!f)
        return err_set(e, ERR_USAGE, "'%s' is of no known format; --list names them, and FOLDER/ takes images", to ? to : output);
    if (!f->save && !f->save_folder)
        return err_set(e, ERR_USAGE, "%s is not written, only read", f->name);
    reader *r = reader_new_after(in, seen->p, seen->n, 0, e);
    int rc = !r ? -1 : f->save ? f->save(r, &o, fd, e) : f->save_folder(r, &o, output, e);
    reader_free(r);
    return rc;
}

static int import(tool *t, buf *seen, int in, const char *operand, const export_format *f, int fd, err *e)
{
    const export_options o = {.all = all, .size = size, .channels = channels, .quality = quality};

    if (!f)
        f = export_sniff(seen->p, seen->n);
    if (!f)
        return err_set(e, ERR_INPUT, "'%s' is no stream and of no known format; --from FORMAT says which", operand);
    if (!f->load)
        return err_set(e, ERR_USAGE, "%s is not read, only written", f->name);
    if (read_all(in, seen, e))
        return -1;
    export_file file = {seen->p, seen->n, operand, f->name, t->name};
    t->writes_stream = false; /* from here on the stream's end is the format's affair */
    return f->load(&file, &o, fd, e);
}

static int convert(tool *t, const export_format *source, const export_format *result, err *e)
{
    const char *operand = t->n_operands ? t->operands[0] : "-";
    bool standard = strcmp(operand, "-") == 0, ours = false;
    int in = standard ? t->in_fd : io_open_read(operand, e);
    out file = {.fd = -1};
    buf seen = {0};
    int rc = -1;

    if (in < 0)
        return -1;
    if (look(in, &seen, e))
        goto out;
    ours = !source && stream_sniff(seen.p, seen.n);
    if (ours)
        t->writes_stream = false;
    if (!ours && result) {
        err_set(e, ERR_USAGE, "from one foreign format to another goes through a stream: ssl-convert FILE | ssl-convert -o FILE");
        goto out;
    }
    bool folder = ours && result && result->save_folder;
    if (!folder && tool_out_open(t, &file, output ? output : "-", e))
        goto out;
    rc = ours ? export(&seen, in, result, file.fd, e) : import(t, &seen, in, operand, source, file.fd, e);
    if (rc == 0 && !folder)
        rc = out_commit(&file, e);
    else
        out_abort(&file);
out:
    buf_free(&seen);
    if (!standard)
        close(in);
    return rc;
}

static int run(tool *t, err *e)
{
    const export_format *source = from ? export_find(from) : NULL, *result;

    if (from && !source)
        return unknown(from, e);
    if (channels == 2)
        return err_set(e, ERR_USAGE, "option '--channels': 2 is neither 1 nor 3");
    if (target(&result, e))
        return -1;
    if (result && result->save_folder && (!output || strcmp(output, "-") == 0))
        return err_set(e, ERR_USAGE, "%s is a folder of files; name it: -o FOLDER/", result->name);
    t->writes_stream = !result && !output;
    return t->dry_run ? 0 : convert(t, source, result, e);
}

int main(int argc, char **argv)
{
    tool t = {
        .name = "ssl-convert",
        .synopsis = "[option ...] [file]",
        .about = "Write a stream or a model in the format of another program, or read such a file as a stream.",
        .opts = opts,
        .examples = "  ssl-load photos/ | ssl-embed -m rot.model | ssl-convert -o photos.npz\n"
                    "  ssl-convert photos.npz | ssl-probe\n"
                    "  ssl-convert --to tsv <photos.emb | cut -f 1,6\n"
                    "  ssl-convert rot.model -o rot.safetensors\n"
                    "  ssl-convert rot.model -o rot.onnx\n"
                    "  ssl-load photos/ | ssl-augment crop:96 | ssl-convert -o cropped/\n",
        .min_operands = 0,
        .max_operands = 1,
        .run = run,
        .list = list,
    };
    return tool_main(&t, argc, argv);
}
