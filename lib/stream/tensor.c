#include "stream/tensor.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct { const char *name; size_t size; } dtypes[DT_COUNT] = {
    [DT_U1] = {"|u1", 1}, [DT_I4] = {"<i4", 4}, [DT_I8] = {"<i8", 8}, [DT_F4] = {"<f4", 4}, [DT_F8] = {"<f8", 8},
};

const char *dtype_name(dtype t)
{
    return dtypes[t].name;
}

size_t dtype_size(dtype t)
{
    return dtypes[t].size;
}

int dtype_parse(const char *s, size_t n)
{
    if (n == 3)
        for (int t = 0; t < DT_COUNT; t++)
            if (memcmp(s, dtypes[t].name, 3) == 0)
                return t;
    return -1;
}

int64_t tensor_count(const tensor *t)
{
    int64_t n = 1;

    for (int i = 0; i < t->ndim; i++)
        n *= t->shape[i];
    return n;
}

int64_t tensor_bytes(dtype type, int ndim, const int64_t *shape, int64_t limit)
{
    int64_t n = (int64_t)dtypes[type].size;
    bool none = false;

    if (ndim < 0 || ndim > TENSOR_MAX_DIMS)
        return -1;
    for (int i = 0; i < ndim; i++) {
        if (shape[i] < 0)
            return -1;
        if (shape[i] == 0)
            none = true;
    }
    if (none)
        return 0; /* whatever the other dimensions say */
    for (int i = 0; i < ndim; i++)
        if (__builtin_mul_overflow(n, shape[i], &n))
            return -1;
    return n > limit ? -1 : n;
}

const char *tensor_shape_text(int ndim, const int64_t *shape, char out[128])
{
    size_t n = 0;

    out[n++] = '[';
    for (int i = 0; i < ndim; i++) {
        if (n > 128 - 24) { /* only a nonsensical shape is this long */
            n += (size_t)snprintf(out + n, 128 - n, "...");
            break;
        }
        n += (size_t)snprintf(out + n, 128 - n, i ? ",%lld" : "%lld", (long long)shape[i]);
    }
    out[n++] = ']';
    out[n] = '\0';
    return out;
}
