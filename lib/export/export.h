/*
 * Foreign formats: one file and one row of the table each. A format that can
 * be written takes a stream and a descriptor; one that can be read takes the
 * whole file and writes a stream.
 */
#ifndef EXPORT_EXPORT_H
#define EXPORT_EXPORT_H

#include "base/err.h"
#include "stream/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct export_options {
    bool all;       /* models: also what is not the encoder */
    int64_t channels; /* models: of the images that an ONNX graph takes, 1 or 3; 0: those that it was trained on */
    int64_t quality;  /* of JPEG files, 1..100 */
    int64_t size;   /* models: side of the images that a network takes; 0: by its stem */
} export_options;

typedef struct export_file {
    const uint8_t *p; /* the whole file; borrowed */
    size_t n;
    const char *operand; /* its name, as given */
    const char *format;
    const char *tool;    /* for history and abort frames */
} export_file;

typedef struct export_format {
    const char *name; /* and the suffix of its files */
    const char *help;
    /* Whether a file that begins with these bytes (at least 16, or the whole file) is one. */
    bool (*is)(const uint8_t *p, size_t n);
    /* NULL: not written, not read. ERR_INPUT says why a stream, or a file, cannot be. */
    int (*save)(reader *r, const export_options *o, int fd, err *e);
    int (*load)(const export_file *f, const export_options *o, int fd, err *e);
    /* In place of save(): many files, in a folder that is absent or empty, and appears when all of them are written. */
    int (*save_folder)(reader *r, const export_options *o, const char *path, err *e);
} export_format;

/* NULL ends it. */
extern const export_format *const export_formats[];

/* By name, or by the suffix of a path, or the slash at its end; NULL: there is none. */
const export_format *export_find(const char *name);
const export_format *export_for_path(const char *path);
const export_format *export_sniff(const uint8_t *p, size_t n);
void export_list(FILE *f);

/* The record of what was read: its operand, format and digest. */
int export_history(header *h, const export_file *f, err *e);

/* ---- The rows ---- */

extern const export_format export_npz, export_npy, export_tsv, export_tar, export_png, export_jpeg, export_safetensors, export_onnx;

#endif
