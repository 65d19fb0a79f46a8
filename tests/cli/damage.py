"""Give a program every damage to a stream: damage.py [--file] INTACT COMMAND [ARGUMENT ...]

Each damaged copy of INTACT goes to the command's standard input (--file: to the file
"damaged", which the command names; its input is then what damage.py was given). What
must follow: status 3; one message, from an ssl- program and about what is wrong; no file
"new"; nothing on standard output that would pass for a whole stream. Prints each failure
and, last, the numbers passed and failed.
"""
import concurrent.futures
import os
import re
import struct
import subprocess
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


def message(name):
    """What the message must say, where that is certain."""
    if name.startswith("cut-") and not name.endswith("-0"):
        return "truncated"
    return {"tail": "trailer", "newer": "version", "empty": "empty"}.get(name.split("-")[0], "")


def whole(stream):
    """Whether a reader could take this for a stream that ended well."""
    try:
        return [kind for _, kind, _ in frames(stream)][-1:] == [3]
    except (AssertionError, IndexError, struct.error):
        return False


def wrong(name, data, command, file):
    if file:
        with open("damaged", "wb") as f:
            f.write(data)
    try:
        p = subprocess.run(command, input=given if file else data, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        return "it hangs"
    said = p.stderr.decode(errors="replace")
    if p.returncode != 3:
        return f"status {p.returncode}: {said}"
    if not re.fullmatch(f"ssl-[a-z]*: .*{message(name)}.*\n", said):
        return f"expected one message with '{message(name)}': {said}"
    if os.path.exists("new"):
        os.remove("new")
        return "an output file was left"
    if p.stdout and whole(p.stdout):
        return "what it wrote passes for a stream"
    return None


arguments = sys.argv[1:]
as_file = arguments[0] == "--file"
if as_file:
    arguments.pop(0)
    given = sys.stdin.buffer.read()
with open(arguments[0], "rb") as f:
    intact = f.read()
failed = 0
cases = list(damages(intact)) + [("empty", b"")]
with concurrent.futures.ThreadPoolExecutor(1 if as_file else os.cpu_count()) as pool:
    for (name, _), bad in zip(cases, pool.map(lambda c: wrong(*c, arguments[1:], as_file), cases)):
        if bad:
            failed += 1
            print(f"{name}: {bad.strip()[:300]}")
print(len(cases) - failed, failed)
