#include "export/export.h"

#include "base/sha256.h"

#include <string.h>

const export_format *const export_formats[] = {
    &export_npz, &export_npy, &export_tsv, &export_tar, &export_png, &export_jpeg, &export_safetensors, &export_onnx, NULL,
};

const export_format *export_find(const char *name)
{
    for (int i = 0; export_formats[i]; i++)
        if (strcmp(export_formats[i]->name, name) == 0)
            return export_formats[i];
    return NULL;
}

const export_format *export_for_path(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    const export_format *f = slash && !slash[1] ? &export_png : dot ? export_find(dot + 1) : NULL;

    return f && f->save_folder && dot && !(slash && !slash[1]) ? NULL : f; /* x.png is one file, not a folder of them */
}

const export_format *export_sniff(const uint8_t *p, size_t n)
{
    for (int i = 0; export_formats[i]; i++)
        if (export_formats[i]->is && export_formats[i]->is(p, n))
            return export_formats[i];
    return NULL;
}

void export_list(FILE *f)
{
    fputs("Formats:\n", f);
    for (int i = 0; export_formats[i]; i++) {
        const export_format *x = export_formats[i];
        fprintf(f, "  %-12s %-14s %s\n", x->name, x->save && x->load ? "written, read" : x->load ? "read" : "written", x->help);
    }
}

int export_history(header *h, const export_file *f, err *e)
{
    value *v = value_map();
    sha256 sum;
    char digest[65];

    sha256_start(&sum);
    sha256_add(&sum, f->p, f->n);
    sha256_end_hex(&sum, digest);
    value_set(v, "digest", value_str(digest));
    value_set(v, "format", value_str(f->format));
    value_set(v, "operand", value_str(f->operand));
    return history_add(h, f->tool, v, NULL, 0, e);
}
