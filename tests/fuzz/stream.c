/*
 * The reader on any bytes. So that the fuzzer gets past the checksums, the
 * input is taken twice: as it is, and with every frame's CRC put right. Every
 * object that our bounds walk accepts must be one to msgpack-c too, of the same
 * length.
 */
#include "base/crc.h"
#include "stream/stream.h"
#include "stream/value.h"
#include "stream/walk.h"

#include <fcntl.h>
#include <msgpack.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void read_whole(const uint8_t *p, size_t n)
{
    int fd = open("/dev/null", O_RDONLY); /* the input is what "has been seen", and then it ends */
    sample s, again;
    frame f = {0};
    err e;

    reader *r = reader_new_after(fd, p, n, 1 << 20, &e);
    while (r && reader_next(r, &s, &e) > 0) {
        frame_begin(&f, FRAME_SAMPLE);
        frame_fields_except(&f, &s, NULL);
        if (frame_end(&f, &e) || frame_sample(&f, &again, &e) || again.n != s.n)
            abort();
        for (int i = 0; i < s.n; i++)
            if (s.f[i].type == FIELD_TENSOR && crc_update(0, s.f[i].t.data, s.f[i].t.bytes) != crc_update(0, again.f[i].t.data, again.f[i].t.bytes))
                abort();
    }
    frame_free(&f);
    reader_free(r);
    close(fd);
}

static void mend(uint8_t *p, size_t n)
{
    for (size_t at = 0; n - at >= 10;) {
        size_t len = (size_t)p[at + 1] << 24 | (size_t)p[at + 2] << 16 | (size_t)p[at + 3] << 8 | p[at + 4];
        if (len < 4 || len > n - at - 6)
            break;
        uint32_t crc = crc_update(0, p + at + 10, len - 4);
        for (int i = 0; i < 4; i++)
            p[at + 6 + (size_t)i] = (uint8_t)(crc >> 8 * i);
        at += 6 + len;
    }
}

static void compare(const uint8_t *p, size_t n)
{
    const uint8_t *q = p;
    size_t values = 1000, off = 0;
    msgpack_zone zone;
    msgpack_object o;
    err e;

    int rc = walk_skip(&q, p + n, STREAM_MAX_DEPTH, &values);
    value_free(value_unpack(p, n, &e));
    if (rc == 0) {
        if (!msgpack_zone_init(&zone, 4096))
            abort();
        int got = msgpack_unpack((const char *)p, n, &off, &zone, &o);
        if ((got != MSGPACK_UNPACK_SUCCESS && got != MSGPACK_UNPACK_EXTRA_BYTES) || off != (size_t)(q - p))
            abort();
        msgpack_zone_destroy(&zone);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);

    if (!copy)
        return 0;
    memcpy(copy, p, n);
    compare(copy, n);
    read_whole(copy, n);
    mend(copy, n);
    read_whole(copy, n);
    free(copy);
    return 0;
}
