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
for bad in '-m lloyd' '--init far' '-m sinkhorn --l2' '--heads 2' '--lambda 3' '-k 0' '-k 3 x'; do
    exits 2 "$bad" "ssl-cluster $bad <e.emb"
done
ok "--list" "ssl-cluster --list | grep -q sinkhorn"

end
