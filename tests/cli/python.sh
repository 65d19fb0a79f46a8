# The stream in Python (examples/python): reads and writes every kind, and what ssl-stream(5) shows.
. "$(dirname "$0")/lib.sh"
PYTHONPATH=$SRC/examples/python PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH PYTHONDONTWRITEBYTECODE
if ! /usr/bin/python3 -c 'import msgpack, numpy' 2>/dev/null; then
    skip python 'python3-msgpack and python3-numpy are not installed'
    end
    exit
fi

# The stream of the page, from the page.
awk '/^c9 00 00 00 2f/ { on = 1 } /^\.Ed/ { on = 0 } on { sub(/#.*/, ""); print }' "$SRC/man/ssl-stream.5" >hex
/usr/bin/python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' <hex >page.ssl

# Every kind, with every type of field.
cat >make.py <<'END'
import sys
import numpy as np
from ssl_stream import Writer, add_history
kind = sys.argv[1]
h = {"kind": kind, "fields": {}, "classes": ["cat", "dog"], "distinct": 20, "count": 20, "seed": 3, "objective": None,
     "input_transform": None, "history": []}
add_history(h, "make.py", "1", {"kind": kind, "scale": 0.2, "list": [1, 70000, -1]})
w = Writer(sys.stdout.buffer, h)
for i in range(20):
    w.put({"key": f"cat/{i}é.png", "index": i, "big": 2**62 + i, "negative": -2**40, "weight": 0.5 * i, "split": "test",
           "image": np.full((5, 4, 3), i, np.uint8), "embedding": np.linspace(-1, 1, 300, dtype=np.float32),
           "f8": np.array(0.1), "i4": np.arange(i, dtype=np.int32), "i8": np.array([[-2**63]], np.int64)})
w.finish(2)
END
cat >read.py <<'END'
import sys
import numpy as np
from ssl_stream import Reader
r = Reader(sys.stdin.buffer)
for i, s in enumerate(r):
    assert s["key"] == f"cat/{i}é.png" and s["index"] == i and s["big"] == 2**62 + i and s["weight"] == 0.5 * i
    assert s["image"].shape == (5, 4, 3) and (s["image"] == i).all() and s["i8"][0, 0] == -2**63 and s["i4"].size == i
    assert s["embedding"].dtype == np.float32 and s["f8"].shape == ()
print(r.header["kind"], r.count, r.skipped)
END
cat >copy.py <<'END'
import ssl_stream
ssl_stream.run("copy.py", lambda h: None, lambda s: s)
END
cat >ids.py <<'END'
import hashlib, sys
import msgpack
from ssl_stream import Reader
def tidy(v):
    if isinstance(v, dict):
        return {k: tidy(v[k]) for k in sorted(v, key=str.encode)}
    return [tidy(x) for x in v] if isinstance(v, list) else v
history = Reader(sys.stdin.buffer).header["history"]
assert [r["tool"] for r in history] == ["ssl-load", "mirror.py"]
for r in history:
    id = r.pop("id")
    assert hashlib.sha256(msgpack.packb(tidy(r))).hexdigest()[:16] == id, r
END
PY=/usr/bin/python3
is 'a 1 (1, 2, 1) [0, 255]' 'the example of the page' "$PY -c '
import sys, ssl_stream
r = ssl_stream.Reader(sys.stdin.buffer)
for s in r: print(s[\"key\"], r.count, s[\"image\"].shape, s[\"image\"].ravel().tolist())' <page.ssl"
ok 'the example of the page verifies' "ssl-show --check <page.ssl"
for kind in images views examples model embeddings assignments; do
    $PY make.py $kind >$kind.ssl
    is "$kind 20 2" "$kind: reads what it writes" "$PY read.py <$kind.ssl"
    ok "$kind: verifies" "ssl-show --check $kind.ssl"
    ok "$kind: through ssl-show" "ssl-show --through <$kind.ssl 2>/dev/null >copy.ssl"
    same $kind.ssl copy.ssl "$kind: unchanged by ssl-show --through"
    $PY copy.py <$kind.ssl >copy.ssl
    same $kind.ssl copy.ssl "$kind: unchanged by a filter in Python"
done

# Damage is found.
n=$(wc -c <images.ssl)
for cut in 1 5 60 1000 $((n / 2)) $((n - 1)); do
    head -c "$cut" images.ssl >cut.ssl
    exits 3 "truncated at $cut" "$PY copy.py <cut.ssl >/dev/null"
    says 'copy.py: StreamError: stream truncated' "says so at $cut" "$PY copy.py <cut.ssl >/dev/null"
done
for at in 12 700 $((n / 2)) $((n - 20)); do
    $PY -c "import sys; b = bytearray(sys.stdin.buffer.read()); b[$at] ^= 4; sys.stdout.buffer.write(b)" <images.ssl >bad.ssl
    exits 3 "a flipped bit at $at" "$PY copy.py <bad.ssl >/dev/null"
done
cat images.ssl images.ssl >two.ssl
exits 3 'bytes after the trailer' "$PY copy.py <two.ssl >/dev/null"

# Failures pass through, once; a reader that has enough ends it well.
head -c 1000 images.ssl | $PY copy.py 2>first | $PY copy.py 2>second | ssl-show --check >/dev/null 2>third
is 1 'one message for three stages' "cat first second third | wc -l"
is '0' 'a reader that leaves' "bash -c '$PY copy.py <images.ssl | head -c 100 >/dev/null; echo \${PIPESTATUS[0]}'"
is '0 3' 'a reader that leaves before a failure' "bash -c 'ssl-load nowhere 2>/dev/null | $PY copy.py 2>log | true; set -- \${PIPESTATUS[@]}; cat log; echo \$3 \$2'"
exits 1 'a full disk' "$PY copy.py <images.ssl >/dev/full"
is 'copy.py: No space left on device' 'one line says so' "$PY copy.py <images.ssl 2>&1 >/dev/full; true"
exits 3 'nothing comes' "$PY copy.py </dev/null >/dev/null"
is 'copy.py: StreamError: empty input' 'says so' "$PY copy.py 2>&1 </dev/null >/dev/null; true"
exits 2 'embeddings.py: without a file' "$SRC/examples/python/embeddings.py"
is 'usage: embeddings.py photos.npz' 'says what it takes' "$SRC/examples/python/embeddings.py 2>&1; true"

# A pretext task in Python, in a real pipe.
if [ -d "$FASHION" ]; then
    ok mirror "ssl-load $FASHION --gray --split train --limit 64 | $SRC/examples/python/mirror.py >mirror.ssl"
    ok 'mirror: verifies' "ssl-show --check mirror.ssl"
    ok 'the ids of the history are as ssl-stream(5) says' "$PY ids.py <mirror.ssl"
    prints 'mirror' 'mirror: is in the history' "ssl-show mirror.ssl"
    ok 'mirror: trains' "ssl-train --encoder convnet --batch 16 -q -o mirror.model <mirror.ssl"
else
    skip mirror "$FASHION is not installed"
fi
if [ -f "$DATA/cifar10-test.tar" ]; then
    ok dropped "ssl-load $DATA/cifar10-test.tar --size 32 --limit 64 >colour.ssl && $SRC/examples/python/dropped.py <colour.ssl >dropped.ssl"
    ok 'dropped: verifies' "ssl-show --check dropped.ssl"
    prints 'task=dropped classes=3 names=red green blue' 'dropped: its objective' "ssl-show -n 0 dropped.ssl | tr -s '\n ' ' '"
    ok 'dropped: can be looked at' "ssl-show -n 3 -o dropped.png dropped.ssl"
    ok 'dropped: trains' "ssl-train --encoder convnet --width 8 --batch 16 -q -o dropped.model <dropped.ssl"
    ok 'dropped: embeds and is measured' "ssl-embed -q -m dropped.model <colour.ssl | ssl-probe -q -m knn -k 3 --folds 2"
    is 0 'dropped: the other channels are as they were' "$PY -c '
import ssl_stream
for s, d in zip(ssl_stream.Reader(open(\"colour.ssl\", \"rb\")), ssl_stream.Reader(open(\"dropped.ssl\", \"rb\"))):
    for c in range(3):
        same = [(s[\"image\"][..., k] == d[\"input\"][c, ..., k]).all() for k in range(3) if k != c]
        assert all(same) and d[\"target\"][c] == c
print(0)'"
    exits 3 'dropped: grey images have no channels' "ssl-load $DATA/cifar10-test.tar --gray --limit 3 | $SRC/examples/python/dropped.py >grey.ssl"
    is 40 'dropped: is at most 40 lines' "wc -l <$SRC/examples/python/dropped.py | awk '{ print (\$1 <= 40 ? 40 : \$1) }'"
else
    skip dropped "no $DATA/cifar10-test.tar"
fi
end
