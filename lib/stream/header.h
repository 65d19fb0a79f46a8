/*
 * The header frame: what kind of samples follow, and where they come from.
 * The keys and their meaning are specified in ssl-stream(5).
 */
#ifndef STREAM_HEADER_H
#define STREAM_HEADER_H

#include "stream/tensor.h"
#include "stream/value.h"

#define STREAM_VERSION_MAJOR 1
#define STREAM_VERSION_MINOR 0

/* Kinds, in the order of the pipe. */
#define KIND_IMAGES "images"
#define KIND_VIEWS "views"
#define KIND_EXAMPLES "examples"
#define KIND_MODEL "model"
#define KIND_EMBEDDINGS "embeddings"
#define KIND_ASSIGNMENTS "assignments"

typedef struct header {
    char *kind;             /* owned, like everything below */
    value *fields;          /* map: name -> [dtype or "int" or "str", [shape]]; -1 where a dimension varies */
    value *classes;         /* array of strings, sorted, or NULL */
    int64_t distinct;       /* source images in one epoch; -1 unknown */
    int64_t count;          /* frames over all epochs; -1 unknown or without end */
    uint64_t seed;
    value *objective;       /* map, or NULL: see "objectives" in ssl-stream(5) */
    value *input_transform; /* map, or NULL */
    value *history;         /* array of records, parents before children, this stream's newest last */
    char *tip;              /* id of that newest record, or NULL; kept by history_add() while others are merged in */
    value *extra;           /* map of keys that only some kinds have ("model": architecture, ...); passed on; may be NULL */
} header;

/* Zeroed, with kind set, distinct and count -1. 0 or -1. */
int header_init(header *h, const char *kind, err *e);
int header_copy(header *dst, const header *src, err *e);
void header_clear(header *h);

/* Declare a field. dtype: a tensor's dtype name with its shape, or "int" / "str" / "float" with ndim -1. */
int header_set_field(header *h, const char *name, const char *type, int ndim, const int64_t *shape, err *e);
void header_remove_field(header *h, const char *name);
/* The declared shape: ndim, or -1 when there is no such tensor field. type may be NULL. */
int header_field(const header *h, const char *name, dtype *type, int64_t shape[TENSOR_MAX_DIMS]);

/* Whether everything in h is as ssl-stream(5) says; readers and writers ask. ERR_INPUT. */
int header_check(const header *h, err *e);
/* ERR_INPUT "this is a stream of X; expected Y or Z" unless the kind is one of those, a NULL-ended list. */
int header_expect(const header *h, err *e, ...) __attribute__((sentinel));

/* Index of a class name, or -1. */
int64_t header_class_index(const header *h, const char *name, size_t n);

/*
 * History. A record is {id, tool, version, parameters, seed, parents}; id is
 * the first 16 hex digits of the SHA-256 of the msgpack of the rest with sorted
 * keys. Records that are already there are not added again, so loops stay linear.
 *
 * parameters: a map of the resolved ones that change the data, with defaults
 * filled in; owned by the call, also on failure. The new record's parents are
 * the newest record of h (role "input"), if there is one, and then the n given
 * ones (a model, a second input), merged in before with history_merge(), which
 * returns the id and does not change which record is h's newest.
 */
typedef struct history_parent {
    const char *role; /* "input", "model", "init", ... */
    const char *id;   /* borrowed */
} history_parent;

int history_add(header *h, const char *tool, value *parameters, const history_parent *parents, int n, err *e);
/* Add all records of another history (say, a model's) to h; *id (may be NULL) is its newest, borrowed from other, or NULL. */
int history_merge(header *h, const value *other, const char **id, err *e);
/* The newest record's id, or NULL. */
const char *history_last(const header *h);
/* How many records are that tool's: the ordinal of the next one, for randomness. */
uint64_t history_count(const header *h, const char *tool);

#endif
