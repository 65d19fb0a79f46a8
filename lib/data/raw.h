/* Data sets that are files of records of one size: pixels, maybe behind a label. Shared by idx, cifar, stl and npy. */
#ifndef DATA_RAW_H
#define DATA_RAW_H

#include "data/blob.h"
#include "data/source.h"

enum raw_order {
    RAW_HWC, /* as in an image */
    RAW_CHW, /* a plane a channel */
    RAW_CWH  /* planes, each column by column */
};

typedef struct raw_part {
    char *path; /* owned */
    blob b;
    bool open;
    const char *split; /* or NULL */
    const char *name;  /* keys are NAME/00000 */
    int64_t n;         /* records */
    uint64_t first;    /* offset of the first record's pixels */
    uint64_t stride;   /* from record to record */
} raw_part;

typedef struct raw {
    int h, w, c;
    enum raw_order order;
    raw_part *part;
    int parts;
} raw;

/* NULL out of memory. */
raw *raw_new(source *s, err *e);
/* One more part, of the file FOLDER/NAME (or NAME alone when folder is NULL), not opened yet; NULL on failure. */
raw_part *raw_add(raw *r, const char *folder, const char *name, err *e);
/* Open part's file. */
int raw_open(raw_part *p, err *e);
/*
 * Entries for all records of part p; class(i, arg) gives record i's class name
 * (NULL: none). Keys count on from the parts before it with the same name.
 */
int raw_list(source *s, listing *l, int p, const char *(*class)(int64_t i, void *arg), void *arg, err *e);

/* For the table's rows. */
int raw_read(const source *s, const entry *en, item *it, err *e);
void raw_close(source *s);

/* The lines of FOLDER/NAME, one class name a line: owned text in *b with NULs for line ends; the count, 0 when there is no such file. */
int raw_class_names(const char *folder, const char *name, buf *b, const char *names[], int max, err *e);

#endif
