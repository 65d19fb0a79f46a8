"""Damaged copies of a stream: damage.py INTACT OUTDIR. One file NAME.ssl a damage."""
import os
import struct
import sys
import zlib


def frames(data):
    """(offset, type, end) of each frame."""
    at = 0
    while at < len(data):
        assert data[at] == 0xC9
        (n,) = struct.unpack(">I", data[at + 1:at + 5])
        yield at, data[at + 5], at + 6 + n
        at += 6 + n


def frame(kind, body):
    body = struct.pack("<I", zlib.crc32(body)) + body
    return struct.pack(">BIB", 0xC9, len(body), kind) + body


def damages(data):
    parts = list(frames(data))
    trailer = parts[-1][0]
    first, after = parts[1][0], parts[1][2]  # the first sample
    for i, (start, _, end) in enumerate(parts):
        yield f"cut-before-{i}", data[:start]
        yield f"cut-inside-{i}", data[:(start + end) // 2]
        if i < 3 or start == trailer:
            yield f"cut-in-length-{i}", data[:start + 3]
            yield f"cut-in-crc-{i}", data[:start + 8]
            yield f"cut-last-byte-{i}", data[:end - 1]
    # A flipped bit: in every field of the framing of three frames, and all over the stream.
    spots = [s + k for s, _, _ in (parts[0], parts[1], parts[-1]) for k in range(12)]
    spots += [k * (len(data) - 1) // 24 for k in range(25)]
    for k, spot in enumerate(sorted(set(spots))):
        yield f"flip-{spot}", data[:spot] + bytes([data[spot] ^ 1 << (k % 8)]) + data[spot + 1:]
    head, tail = data[:first], data[after:]
    fixkey = b"\x81\xa3key"
    yield "count-array", head + frame(2, fixkey + b"\xdd\xff\xff\xff\xff") + tail
    yield "count-map", head + frame(2, b"\xdf\xff\xff\xff\xff\xa3key\xa1x") + tail
    yield "count-str", head + frame(2, fixkey + b"\xdb\xff\xff\xff\xffx") + tail
    yield "count-bin", head + frame(2, b"\x81\xa5image\x93\xa3|u1\x93\x08\x08\x03\xc6\xff\xff\xff\xff") + tail
    yield "shape-2^32", head + frame(2, b"\x81\xa5image\x93\xa3|u1\x93\xce\xff\xff\xff\xff\xce\xff\xff\xff\xff\x03\xc4\x00") + tail
    yield "deep-sample", head + frame(2, fixkey + b"\x91" * 100000 + b"\x00") + tail
    yield "deep-header", frame(1, b"\x82\xa6format\xaassl-stream\xa1x" + b"\x91" * 100000 + b"\x00") + data[first:]
    yield "long-frame", head + b"\xc9\xff\xff\xff\xff\x02" + data[first + 6:]
    yield "unknown-type", head + frame(5, b"\x80") + tail
    yield "second-header", head + data[:first] + data[first:]
    yield "no-header", data[first:]
    yield "sample-left-out", head + tail
    yield "samples-swapped", head + data[parts[2][0]:parts[2][2]] + data[first:after] + data[parts[3][0]:]
    yield "tail-byte", data + b"\0"
    yield "tail-stream", data + data
    yield "text", b"key\tclass\n" * 100
    yield "zeros", bytes(4096)
    major = data.index(b"version") + 7
    assert data[major + 1:major + 2].isdigit(), "the version is a string after its key"
    body = bytearray(data[10:parts[0][2]])
    body[major + 1 - 10] += 1
    yield "newer-version", frame(1, bytes(body)) + data[first:]


with open(sys.argv[1], "rb") as f:
    intact = f.read()
for name, data in damages(intact):
    with open(os.path.join(sys.argv[2], name + ".ssl"), "wb") as f:
        f.write(data)
