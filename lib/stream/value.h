/*
 * A small tree of msgpack-like values, for headers, history, objectives,
 * logs and JSON. One owner: a value owns its children; value_free() frees the
 * tree. Maps keep the order of insertion.
 *
 * Builders return NULL when memory is out and accept NULL children (freeing
 * the container), so that a whole expression is checked once:
 *
 *     value *v = value_map();
 *     value_set(v, "name", value_str("classify"));
 *     if (value_failed(v)) ...
 */
#ifndef STREAM_VALUE_H
#define STREAM_VALUE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum value_type {
    VALUE_NIL, VALUE_BOOL, VALUE_INT, VALUE_FLOAT, VALUE_STR, VALUE_BIN, VALUE_ARRAY, VALUE_MAP
} value_type;

typedef struct value value;
struct value {
    value_type type;
    bool failed; /* an allocation failed while this tree was built */
    union {
        bool b;
        int64_t i;
        double f;
    };
    char *s;        /* VALUE_STR (NUL-terminated; n excludes it), VALUE_BIN */
    size_t n;       /* bytes of s, or number of children */
    value **child;  /* array elements or map values */
    char **key;     /* map keys */
    size_t cap;
};

value *value_nil(void);
value *value_bool(bool b);
value *value_int(int64_t i);
value *value_float(double f);
value *value_str(const char *s);
value *value_strn(const char *s, size_t n);
value *value_array(void);
value *value_map(void);
value *value_copy(const value *v);
void value_free(value *v);

/* Append to an array. Takes ownership of child, also on failure. */
void value_push(value *array, value *child);
/* Set (replace or append) a key. Takes ownership of child, also on failure. */
void value_set(value *map, const char *key, value *child);
void value_remove(value *map, const char *key);
/* Whether v is NULL or some allocation inside it failed. */
bool value_failed(const value *v);

/* Borrowed child, or NULL where there is none or v is no map; v may be NULL. */
const value *value_get(const value *v, const char *key);
value *value_get_mutable(value *v, const char *key);
/* Typed reads with a default when absent or of another type; an int is read as a float too. */
int64_t value_get_int(const value *v, const char *key, int64_t otherwise);
double value_get_float(const value *v, const char *key, double otherwise);
const char *value_get_str(const value *v, const char *key, const char *otherwise);
bool value_get_bool(const value *v, const char *key, bool otherwise);

/* Sort the keys of every map in the tree (by bytes), for hashing. */
void value_sort(value *v);
bool value_equal(const value *a, const value *b);

/* msgpack, smallest encodings, floats as float64; appended to out. */
int value_pack(const value *v, buf *out, err *e);
/* One whole msgpack object of exactly n bytes; bounds are checked first (depth 16, counts against n). NULL on failure. */
value *value_unpack(const uint8_t *p, size_t n, err *e);

/* JSON on one line (indent < 0) or indented. Floats shortest that reads back equal; NaN and infinities as null. */
int value_json(const value *v, int indent, buf *out, err *e);

#endif
