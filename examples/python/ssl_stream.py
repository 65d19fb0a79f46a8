"""Read and write ssl-tools streams, as ssl-stream(5) specifies them. Needs only msgpack and numpy.

    for sample in Reader(sys.stdin.buffer): ...        # dicts; their tensors are numpy arrays
    w = Writer(sys.stdout.buffer, header); w.put(sample); w.finish()

run() makes a whole filter out of two functions; mirror.py is one.
"""
import hashlib, os, struct, sys, zlib
import msgpack
import numpy as np

HEADER, SAMPLE, TRAILER, ABORT, PRIVATE = 1, 2, 3, 4, 64
DTYPES = "|u1", "<i4", "<i8", "<f4", "<f8"


class StreamError(Exception): pass
class Aborted(StreamError): pass  # a program before us has failed and said so; args: its name, its message


def decode(v):  # a tensor is [dtype, shape, bytes]
    tensor = isinstance(v, list) and len(v) == 3 and v[0] in DTYPES and isinstance(v[2], bytes)
    return np.frombuffer(v[2], v[0]).reshape(v[1]) if tensor else v


def encode(v):
    if not isinstance(v, np.ndarray):
        return v
    name = v.dtype.newbyteorder("<").str
    if name not in DTYPES:
        raise StreamError(f"a stream holds no {v.dtype}")
    return [name, list(v.shape), v.astype(name).tobytes()]


class Reader:
    def __init__(self, f, max_frame=1 << 30):
        self.f, self.max_frame, self.count, self.sum, self.empty = f, max_frame, 0, hashlib.sha256(), True
        kind, self.header = self.frame()
        if kind != HEADER or self.header.get("format") != "ssl-stream" or int(self.header["version"].split(".")[0]) > 1:
            raise StreamError("not an ssl-stream of version 1")

    def read(self, n):
        b = self.f.read(n)
        self.empty = self.empty and not b
        if len(b) < n:
            raise StreamError("empty input" if self.empty else f"stream truncated after {self.count} samples")
        return b

    def frame(self):
        """The next frame's type and map, verified; private frames are skipped."""
        kind = PRIVATE
        while kind >= PRIVATE:
            magic, n, kind = struct.unpack(">BIb", self.read(6))
            if magic != 0xC9 or n < 5 or n > self.max_frame:
                raise StreamError(f"stream damaged after {self.count} samples")
            payload = memoryview(self.read(n))
        if zlib.crc32(payload[4:]) != int.from_bytes(payload[:4], "little"):
            raise StreamError(f"stream damaged after {self.count} samples: wrong checksum")
        m = msgpack.unpackb(payload[4:], raw=False)
        if kind == SAMPLE:
            self.sum.update(payload[:4].tobytes() + struct.pack("<I", n))
            self.count += 1
        elif kind == ABORT:
            raise Aborted(m["tool"], m["message"])
        return kind, m

    def __iter__(self):
        while True:
            kind, m = self.frame()
            if kind != SAMPLE:
                break
            yield {k: decode(v) for k, v in m.items()}
        if kind != TRAILER or m["frames"] != self.count or m["digest"] != self.sum.hexdigest() or self.f.read(1):
            raise StreamError("a wrong trailer, or bytes after it")
        self.skipped = m["skipped"]


def write_frame(f, kind, m):
    """Returns what the digest takes of the frame: its CRC and its length."""
    body = msgpack.packb(m)
    crc = struct.pack("<I", zlib.crc32(body))
    f.write(struct.pack(">BIb", 0xC9, len(body) + 4, kind) + crc + body)
    f.flush()
    return crc + struct.pack("<I", len(body) + 4)


class Writer:
    def __init__(self, f, header):
        self.f, self.count, self.sum = f, 0, hashlib.sha256()
        write_frame(f, HEADER, {"format": "ssl-stream", "version": "1.0", **header})

    def put(self, sample):
        self.sum.update(write_frame(self.f, SAMPLE, {k: encode(v) for k, v in sample.items()}))
        self.count += 1

    def finish(self, skipped=0):
        write_frame(self.f, TRAILER, {"frames": self.count, "skipped": skipped, "digest": self.sum.hexdigest()})


def add_history(header, tool, version, parameters):
    """Append this program's record; its parent is the newest one."""
    r = {"parameters": dict(sorted(parameters.items())),  # keys in order: the id is a hash of these bytes
         "parents": [{"id": h["id"], "role": "input"} for h in header["history"][-1:]],
         "seed": header["seed"], "tool": tool, "version": version}
    header["history"].append({**r, "id": hashlib.sha256(msgpack.packb(r)).hexdigest()[:16]})


def run(tool, change_header, change_sample):
    """Filter standard input to standard output: change_header(header), then sample = change_sample(sample) for each."""
    out, why, status = sys.stdout.buffer, None, 0
    try:
        try:
            reader = Reader(sys.stdin.buffer)
            change_header(reader.header)
            writer = Writer(out, reader.header)
            for sample in reader:
                writer.put(change_sample(sample))
            writer.finish(reader.skipped)
        except Aborted as e:
            why, status = e.args, 3
        except (StreamError, KeyError, ValueError) as e:
            why, status = (tool, f"{type(e).__name__}: {e}"), 3
            print(": ".join(why), file=sys.stderr)
        if why:
            write_frame(out, ABORT, {"tool": why[0], "message": why[1]})
    except OSError as e:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what was not written is not tried again at the exit
        if not status and not isinstance(e, BrokenPipeError):  # that is a reader that has all it wants
            status = 1
            print(f"{tool}: {e.strerror}", file=sys.stderr)
    sys.exit(status)
