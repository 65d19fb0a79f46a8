/* msgpack-c's packer over a buf. Private to lib/stream. */
#ifndef STREAM_PACK_H
#define STREAM_PACK_H

#include "base/buf.h"
#include "stream/value.h"

#include <msgpack.h>
#include <string.h>

static inline int pack_to_buf(void *to, const char *p, size_t n)
{
    err ignored; /* the caller's message is the same: out of memory */

    return buf_add(to, p, n, &ignored);
}

static inline msgpack_packer pack_start(buf *b)
{
    return (msgpack_packer){.data = b, .callback = pack_to_buf};
}

static inline int pack_str(msgpack_packer *k, const char *s, size_t n)
{
    return msgpack_pack_str(k, n) || (n && msgpack_pack_str_body(k, s, n)) ? -1 : 0;
}

static inline int pack_text(msgpack_packer *k, const char *s)
{
    return pack_str(k, s, strlen(s));
}

/* 0 or -1, out of memory. */
int value_pack_with(msgpack_packer *k, const value *v);

#endif
