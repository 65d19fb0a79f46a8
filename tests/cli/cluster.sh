# ssl-cluster: what comes out, the report, threads, bad input.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"

ok "photographs" "photographs photos && ssl-load photos --size 8 | ssl-embed -q -m pixels >e.emb"
ok "k-means" "ssl-cluster -q -k 3 --report r.tsv <e.emb >a.cl && ssl-show --check a.cl"
prints '^kind +assignments' "the kind" "ssl-show a.cl"
prints '^fields .*label:int  cluster:<i4\[1\]' "the fields" "ssl-show a.cl"
exits 1 "no embedding is left" "ssl-show a.cl | grep -q embedding"
prints 'ssl-cluster +clusters=3 init=kmeans\+\+ iterations=20 l2=false method=kmeans' "the history" "ssl-show a.cl"
column() { awk -F '\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next } !/^#/ { print $c[name] }' "$2"; }
is "48" "all samples" "column samples r.tsv"
is "1.000000" "the classes differ in brightness: they are found" "column nmi r.tsv"
is "1.000000" "by the adjusted Rand index too" "column ari r.tsv"
is "1.000000" "and matched" "column matched r.tsv"
is "-" "no previous round" "column nmi_previous r.tsv"
prints '^# sizes of head 0: 16 16 16$' "the sizes" "cat r.tsv"
says '3 clusters of 16 to 16 samples, objective [0-9.]+ after [0-9]+ iterations, NMI 1.0000, ARI 1.0000, matched 1.0000' \
    "the remark" "ssl-cluster -k 3 <e.emb >b.cl"
same a.cl b.cl "again the same bytes"
for j in 1 4; do
    ok "-j $j" "ssl-cluster -q -k 7 -j $j --pca 9 --whiten --l2 <e.emb >j$j.cl"
done
same j1.cl j4.cl "threads do not matter"
ok "another seed" "ssl-cluster -q -k 7 -s 5 --pca 9 --whiten --l2 <e.emb >s.cl"
exits 1 "is another clustering" "cmp -s j1.cl s.cl"
ok "a random start" "ssl-cluster -q -k 7 --init random <e.emb >s.cl"
ok "more components than there are" "ssl-cluster -q -k 3 --pca 10000 <e.emb >s.cl"
ok "as many clusters as samples" "ssl-cluster -q -k 48 --report r.tsv <e.emb >s.cl"
is "0" "none is empty" "column empty r.tsv"
ok "against the previous" "ssl-cluster -q -k 3 --previous a.cl --report r.tsv <e.emb >s.cl"
is "1.000000" "nothing has changed" "column nmi_previous r.tsv"
ok "unlabelled samples" "ssl-load photos/train/cat photos/train/dog --size 8 | ssl-embed -q -m pixels >u.emb; ssl-cluster -k 2 --report r.tsv <u.emb >s.cl"
is "-" "have no scores" "column nmi r.tsv"

# Sinkhorn takes logits: here, of a model of two heads' worth of numbers.
ok "logits" "ssl-load photos --size 8 --split train --epochs 4 --shuffle | ssl-pretext labels | ssl-train -q --encoder convnet --width 4 --batch 8 -o m
    ssl-load photos --size 8 | ssl-embed -q -m m --layer head >l.emb"
ok "sinkhorn" "ssl-cluster -q -m sinkhorn --report r.tsv <l.emb >k.cl && ssl-show --check k.cl"
is "3" "the logits tell how many clusters" "column clusters r.tsv"
prints 'heads=1 iterations=1000 lambda=10' "the history" "ssl-show k.cl"
ok "three heads of one cluster" "ssl-cluster -q -m sinkhorn --heads 3 --report r.tsv <l.emb >h.cl"
prints 'cluster +<i4 \[3\] +0 0 0' "a number a head" "ssl-show h.cl"
is 3 "and a line a head" "grep -vc '^head\|^#' r.tsv"
for j in 1 4; do
    ok "sinkhorn -j $j" "ssl-cluster -q -m sinkhorn -j $j <l.emb >j$j.cl"
done
same j1.cl j4.cl "threads do not matter to it"
says 'warning: head 0: the columns are off by' "too few iterations are said" "ssl-cluster -m sinkhorn --iterations 1 --tolerance 0 <l.emb >s.cl"

# What is wrong.
exits 3 "more clusters than samples" "ssl-cluster -k 49 <e.emb"
says '49 clusters of 48 samples' "are counted" "ssl-cluster -k 49 <e.emb >s.cl"
if /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    ok "numbers whose squares are no floats" "/usr/bin/python3 -c 'import numpy; numpy.save(\"big.npy\", (numpy.random.default_rng(1).normal(size=(200, 8)) * 1e20).astype(\"<f4\"))' &&
        ssl-convert big.npy >big.emb"
    exits 3 "are refused" "ssl-cluster -k 5 <big.emb"
    says 'no room in float32' "and why" "ssl-cluster -k 5 --pca 4 --whiten --l2 <big.emb"
    ok "groups far from the origin" "/usr/bin/python3 -c 'import numpy; r = numpy.random.default_rng(1); numpy.save(\"far.npy\", (1e6 + 40 * (numpy.arange(300) % 3)[:, None] + r.normal(size=(300, 8))).astype(\"<f4\"))' &&
        ssl-convert far.npy | ssl-cluster -q -k 3 --report r.tsv >far.cl"
    prints '^# sizes of head 0: 100 100 100$' "are found" "cat r.tsv"
    is "8" "with an objective of as many as there are dimensions" "column objective r.tsv | cut -c 1"
else
    skip "large numbers" "no numpy"
fi
if /usr/bin/python3 -c 'import numpy, msgpack' 2>/dev/null; then
    cat >keys.py <<'END'
import os, sys
sys.path.insert(0, os.path.join(os.environ["SRC"], "examples", "python"))
from ssl_stream import *
w = Writer(sys.stdout.buffer, {"kind": "embeddings", "seed": 0, "history": [], "fields": {"embedding": ["<f4", [2]]}})
for i, key in enumerate(sys.argv[1:]):
    w.put({**({"key": key} if key else {}), "embedding": np.array([i, 0], "<f4")})
w.finish()
END
    ok "keys" "/usr/bin/python3 keys.py a b c | ssl-cluster -q -k 2 | ssl-show --check"
    says "sample 2 'a': the key has come before" "one twice" "/usr/bin/python3 keys.py a b a | ssl-cluster -k 2 >s.cl"
    says "sample 1: no key, by which its cluster could be found" "one missing" "/usr/bin/python3 keys.py a '' c | ssl-cluster -k 2 >s.cl"
else
    skip "keys" "no numpy or no msgpack"
fi
exits 3 "images" "ssl-load photos --size 8 | ssl-cluster -k 3"
exits 3 "nothing" "ssl-cluster </dev/null"
exits 3 "truncated" "head -c 20000 e.emb | ssl-cluster -k 3"
exits 3 "two epochs" "ssl-load photos --size 8 --epochs 2 | ssl-embed -q -m pixels | ssl-cluster -k 3"
says "a second epoch" "are named" "ssl-load photos --size 8 --epochs 2 | ssl-embed -q -m pixels | ssl-cluster -k 3 >s.cl"
exits 3 "heads that do not divide" "ssl-cluster -m sinkhorn --heads 2 <l.emb"
exits 3 "a previous file of another kind" "ssl-cluster -k 3 --previous e.emb <e.emb"
says "'e.emb': this is a stream of embeddings; expected assignments" "is named" "ssl-cluster -k 3 --previous e.emb <e.emb >s.cl"
exits 3 "a previous file of other keys" "ssl-load photos/test --size 8 | ssl-embed -q -m pixels | ssl-cluster -q -k 3 >o.cl; ssl-cluster -k 3 --previous o.cl <e.emb"
exits 1 "no previous file" "ssl-cluster -k 3 --previous none <e.emb"
exits 1 "a report that cannot be written" "ssl-cluster -q -k 3 --report /none/r.tsv <e.emb"
exits 3 "those downstream learn of it" "ssl-cluster -k 49 <e.emb 2>/dev/null | ssl-show"
for bad in '-m lloyd' '--init far' '-m sinkhorn --l2' '-m sinkhorn --init random' '--heads 2' '--lambda 3' '-k 0' '-k 3 x'; do
    exits 2 "$bad" "ssl-cluster $bad <e.emb"
done
ok "--list" "ssl-cluster --list | grep -q sinkhorn"

# Clusters as targets: joined by key, whatever the order.
ok "the training images" "ssl-load photos --size 8 --split train >t.ssl; ssl-embed -q -m pixels <t.ssl | ssl-cluster -q -k 5 >t.cl"
ok "examples" "ssl-load photos --size 8 --split train --shuffle --epochs 2 | ssl-pretext cluster --assign t.cl >ex.ssl && ssl-show --check ex.ssl"
prints '^objective +name=classify task=cluster classes=5' "the objective" "ssl-show ex.ssl"
prints 'ssl-pretext +assign=t.cl digest=[0-9a-f]{64} keep=false missing=fail' "the history names the file by its content" "ssl-show ex.ssl | tr -s '\n ' ' ' | sed 's/\[/\n[/g'"
prints 'assignments=\[[0-9]+\]' "and what made it" "ssl-show ex.ssl"
targets() { ssl-show -n 1000 "$1" | awk '/ key / { k = $4 } /^ +target/ { print k, $4 }' | sort -u; }
clusters() { ssl-show -n 1000 "$1" | awk '/ key / { k = $4 } /^ +cluster/ { print k, $4 }' | sort -u; }
ok "each key has its cluster as the target" "targets ex.ssl >1; clusters t.cl >2; [ -s 1 ] && cmp 1 2"
ok "of views too" "ssl-augment --views 3 flip <t.ssl | ssl-pretext cluster --assign t.cl | ssl-show --check"
exits 3 "a missing key" "ssl-load photos --size 8 | ssl-pretext cluster --assign t.cl"
says "sample 0 'test/cat/0.ppm': cluster: 't.cl' has no cluster for this key" "is named" "ssl-load photos --size 8 | ssl-pretext cluster --assign t.cl >x"
ok "or skipped" "ssl-load photos --size 8 | ssl-pretext cluster:missing=skip --assign t.cl >x.ssl && ssl-show --check --json x.ssl >x.json"
prints '"skipped": 24' "and counted" "cat x.json"
exits 2 "the file is needed" "ssl-pretext cluster <t.ssl"
exits 2 "and not for others" "ssl-pretext rotate --assign t.cl <t.ssl"
exits 3 "a file of another kind" "ssl-pretext cluster --assign e.emb <t.ssl"
exits 1 "no file" "ssl-pretext cluster --assign none <t.ssl"
ok "training on clusters" "ssl-train -q --encoder convnet --width 4 --batch 8 -o c.model <ex.ssl"

# Several heads, and their logits side by side.
ok "three heads" "ssl-load photos --size 8 --split train --epochs 2 --shuffle >t2.ssl
    ssl-embed -q -m c.model --layer layer3,embedding <t.ssl | ssl-cluster -q -m sinkhorn --heads 8 --tolerance 100 >h.cl
    ssl-pretext cluster --assign h.cl <t2.ssl | ssl-train -q --encoder convnet --width 4 --batch 8 -o h.model"
prints 'heads=8' "the model knows" "ssl-show h.model"
prints '^head.7	' "the layers" "ssl-embed -m h.model --list-layers"
ok "one of them" "ssl-embed -q -m h.model --layer head.0 <t.ssl >h0; ssl-embed -q -m h.model --layer head.1 <t.ssl >h1; ssl-embed -q -m h.model --layer head.0,head.1 <t.ssl >h01"
is "16" "two are twice as long" "ssl-show h01 | sed -n 's/.*embedding:<f4\[\([0-9]*\)\].*/\1/p'"
ok "heads go on where they were" "ssl-pretext cluster --assign h.cl <t2.ssl | ssl-train -q --encoder convnet --width 4 --batch 8 --init h.model --init-parts encoder+heads -o i.model"
exits 2 "an unknown layer in a list" "ssl-embed -m h.model --layer head.0,head.9 <t.ssl"
says "no layer 'head.9'" "is named" "ssl-embed -m h.model --layer head.0,head.9 <t.ssl >x"

# Even visits: 24 images, clusters of very different sizes.
ok "uneven clusters" "ssl-load photos --size 8 --split train --classes cat >cat.ssl; ssl-load photos --size 8 --split train --classes dog,ship --limit 4 >few.ssl
    ssl-load cat.ssl few.ssl >u.ssl; ssl-embed -q -m pixels <u.ssl | ssl-cluster -q -k 3 --report r.tsv >u.cl"
ok "uniform" "ssl-load u.ssl --uniform-by u.cl --epochs 6 >uni.ssl && ssl-show --check uni.ssl"
ok "each cluster comes as often" "ssl-pretext cluster --assign u.cl <uni.ssl >ux.ssl
    ssl-show -n 1000 ux.ssl | awk '/^ +target/ { n[\$4]++ } END { for (k in n) print n[k] }' | sort -u | tr '\n' ' ' >n; grep -qx '24 ' n || { cat n; exit 1; }"
ok "an image's epochs count its visits" "ssl-show -n 1000 uni.ssl | sed -n 's/.* key \([^ ]*\) .* epoch \([0-9]*\) .*/\1 \2/p' | awk '\$2 != n[\$1]++ { bad = 1 } END { exit bad }'"
ok "from the middle" "ssl-load u.ssl --uniform-by u.cl --epochs 6 --skip 31 >s.ssl; ssl-show -n 1000 uni.ssl | grep '^sample' | sed 's/sample [0-9]*//' | tail -n +32 >1; ssl-show -n 1000 s.ssl | grep '^sample' | sed 's/sample [0-9]*//' >2; cmp 1 2"
ok "with another seed" "ssl-load u.ssl --uniform-by u.cl --seed 3 | ssl-show --check"
exits 3 "an image without a cluster" "ssl-load photos --size 8 --uniform-by u.cl"
exits 2 "a pipe" "ssl-load - --uniform-by u.cl <u.ssl"

end
