. "${SRC:?}/tests/cli/lib.sh"

python=/usr/bin/python3
if ! $python -c 'import numpy, msgpack' 2>/dev/null; then
    skip "ssl-probe" "python3-numpy and python3-msgpack write its input"
    end
    exit
fi
embeddings() { $python "$SRC/tests/embeddings.py" "$@"; }
# A column of the table, by name: column NAME < table
column() { awk -F '\t' -v name="$1" '/^#/ {next} NR == 1 {for (i = 1; i <= NF; i++) if ($i == name) c = i; next} {print $c}'; }

embeddings train=900 test=300 val=150 spread=0.7 >abc.ssl
embeddings train=900 test=300 spread=0.7 >split.ssl
embeddings none=400 spread=0.7 >plain.ssl

# ---- The table ---------------------------------------------------------------

is 'method	setting	labels	accuracy	low	high	macro_f1	n_train	n_test	classes	dim	draws	folds	interval	l2	history	digest' \
    "columns keep their order" "ssl-probe <abc.ssl | head -n 1"
is 'linear	l2=auto	all
knn	k=20	all
knn	k=200	all' "one line a setting" "ssl-probe <abc.ssl | tail -n +2 | cut -f 1-3"
is 17 "every line has every column" "ssl-probe --labels-per-class 5,all --l2 0.1 abc.ssl | awk -F '\t' '{print NF}' | sort -u"
is '900 300 4 16 1 1 wilson' "counts" "ssl-probe -m linear abc.ssl | tail -n 1 | cut -f 8-14 | tr '\t' ' '"
is yes "clusters are told apart" "ssl-probe abc.ssl | column accuracy | awk '\$1 < 90 {bad = 1} END {print NR == 3 && !bad ? \"yes\" : \"no\"}'"
is yes "the interval holds the accuracy" \
    "ssl-probe --labels-per-class 3,all abc.ssl | awk -F '\t' 'NR > 1 && !(\$5 <= \$4 && \$4 <= \$6) {bad = 1} END {print bad ? \"no\" : \"yes\"}'"
ok "a file, standard input and - are the same" "ssl-probe abc.ssl >1; ssl-probe <abc.ssl >2; ssl-probe - <abc.ssl >3; cmp 1 2 && cmp 2 3"
is 't 5 20' "few labels are drawn several times" "ssl-probe -q -m linear --labels-per-class 5 abc.ssl | tail -n 1 | awk -F '\t' '{print \$14, \$12, \$8}'"
is 'wilson 1' "one draw has Wilson's interval" "ssl-probe -q -m linear --draws 1 --labels-per-class 5 abc.ssl | tail -n 1 | awk -F '\t' '{print \$14, \$12}'"
says 'k=200 is left out: 20 training samples' "k above the training samples is left out with a remark" "ssl-probe --labels-per-class 5 abc.ssl"
is 'l2=0.25	0.25' "a given strength is used" "ssl-probe -m linear --l2 0.25 abc.ssl | tail -n 1 | cut -f 2,15"
is "$(ssl-show --check abc.ssl 2>/dev/null | grep -Eo '[0-9a-f]{16}' | head -n 1)" "the digest is the stream's" "ssl-probe -m linear abc.ssl | column digest"
prints '^knn ' "--list" "ssl-probe --list"

# ---- Reproducible --------------------------------------------------------------

ok "any number of threads, any time: the same bytes" \
    "for j in 1 2 4; do ssl-probe -j \$j --labels-per-class 4,all --json --confusion split.ssl >j\$j || exit; done; ssl-probe -j 2 --labels-per-class 4,all --json --confusion split.ssl >again; cmp j1 j2 && cmp j1 j4 && cmp j2 again"
ok "another seed, other draws" "ssl-probe -m linear --labels-per-class 4 split.ssl >1; ssl-probe -m linear --labels-per-class 4 --seed 1 split.ssl >2; ! cmp -s 1 2"

# ---- JSON and confusion ----------------------------------------------------------

cat >check.py <<'E2'
import json, sys
j = json.load(sys.stdin)
assert [r["method"] for r in j["results"]] == ["linear", "knn", "knn"]
assert j["classes"] == sorted(j["classes"]) and len(j["classes"]) == 4
for r in j["results"]:
    m = r["confusion"]
    assert [len(row) for row in m] == [4] * 4
    total, right = sum(map(sum, m)), sum(m[c][c] for c in range(4))
    assert total == r["n_test"] == 300 and abs(100 * right / total - r["accuracy"]) < 1e-9
    f1 = sum(200 * m[c][c] / (sum(m[c]) + sum(row[c] for row in m)) for c in range(4)) / 4
    assert abs(f1 - r["macro_f1"]) < 1e-9
assert [h["tool"] for h in j["history"]][-1] == "ssl-probe"
print("fine")
E2
is fine "JSON agrees with itself" "ssl-probe --json --confusion abc.ssl | $python check.py"
is 1 "JSON is one line" "ssl-probe --json abc.ssl | wc -l"
is 5 "--confusion adds one matrix a line of the table, in comments" "ssl-probe --confusion --labels-per-class 5,all -q abc.ssl | grep -c '^# confusion'"
is 300 "a matrix counts every tested sample" \
    "ssl-probe --confusion -m linear abc.ssl | grep '^# class' | cut -f 2- | tr '\t' '\n' | awk '{s += \$1} END {print s}'"
is same "comments leave the table as it was" "ssl-probe abc.ssl >1; ssl-probe --confusion abc.ssl | grep -v '^#' >2; cmp 1 2 && echo same"

# ---- Splits, streams, folds ---------------------------------------------------------

is '900 150' "--test names the split" "ssl-probe -m linear --test val abc.ssl | tail -n 1 | cut -f 8,9 | tr '\t' ' '"
is '320 400 5' "no split: five folds" "ssl-probe -m linear plain.ssl | tail -n 1 | cut -f 8,9,13 | tr '\t' ' '"
is '900 1350 3' "--folds takes all samples" "ssl-probe -m linear --folds 3 abc.ssl | tail -n 1 | cut -f 8,9,13 | tr '\t' ' '"
embeddings train=800 none=0 spread=0.7 names=cat,dog,eel,fox >one.ssl
embeddings none=300 spread=0.7 seed=9 names=fox,cat,eel,dog >other.ssl
embeddings none=300 spread=0.7 seed=9 names=fox,cat,eel,dog numbers=1 >numbered.ssl
is yes "two streams are matched by class name" "ssl-probe one.ssl other.ssl | column accuracy | awk '\$1 < 90 {bad = 1} END {print NR == 3 && !bad ? \"yes\" : \"no\"}'"
ok "labels are as good as names" "ssl-probe one.ssl other.ssl | cut -f 1-13 >1; ssl-probe one.ssl numbered.ssl | cut -f 1-13 >2; cmp 1 2"
is '800 300' "the first stream trains, the second is tested" "ssl-probe -m linear one.ssl other.ssl | tail -n 1 | cut -f 8,9 | tr '\t' ' '"
ok "one of two may be standard input" "ssl-probe one.ssl - <other.ssl >1; ssl-probe one.ssl other.ssl >2; cmp 1 2"
is '900 300' "of two streams with splits, train and test count" "ssl-probe -q -m linear abc.ssl split.ssl | tail -n 1 | cut -f 8,9 | tr '\t' ' '"
embeddings train=300 test=100 unlabeled=200 spread=0.7 >some.ssl
is '300 100' "the split unlabeled is passed over" "ssl-probe -m linear some.ssl | tail -n 1 | cut -f 8,9 | tr '\t' ' '"

# ---- What cannot be probed ------------------------------------------------------------

bad() { # NAME MESSAGE COMMAND: exit 3, nothing on standard output
    exits 3 "$1" "$3"
    says "$2" "$1: message" "$3"
    is '' "$1: no output" "$3 2>/dev/null || true"
}
for b in nan inf dim epoch class; do embeddings train=300 test=100 break=$b >$b.ssl; done
bad "NaN" "sample 200 'train/class0/200': the embedding is not finite" "ssl-probe nan.ssl"
bad "infinity" "not finite" "ssl-probe inf.ssl"
bad "another dimension" "sample 200 .*: an embedding of 15 numbers" "ssl-probe dim.ssl"
bad "a second epoch" "sample 200 .*: a second epoch" "ssl-probe epoch.ssl"
bad "a sample without class" "sample 200 .*: no class" "ssl-probe class.ssl"
embeddings unlabeled=50 >none.ssl
bad "no labelled sample" "no labelled sample" "ssl-probe none.ssl"
embeddings train=100 test=20 names=cat >cats.ssl
bad "one class" "all training samples are of one class, 'cat'" "ssl-probe cats.ssl"
embeddings none=40 names=cat,dog,gnu >gnu.ssl
bad "a class that only test has" "class 'gnu' is in test \(13 samples\) but not in train" "embeddings none=40 names=cat,dog >two.ssl; ssl-probe two.ssl gnu.ssl"
embeddings train=40 dim=5 names=cat,dog,gnu >five.ssl
bad "streams of two dimensions" "gnu.ssl: sample 0 .*: an embedding of 16 numbers; those before have another length" "ssl-probe five.ssl gnu.ssl"
bad "no test split" "no sample is of the split 'test' \(train 40\)" "ssl-probe five.ssl"
bad "too few for folds" "class '.*' has 3 samples, too few for 5 folds" "embeddings none=12 >tiny.ssl; ssl-probe tiny.ssl"
bad "too few labels" "class 'class0' has fewer than 1000 training samples" "ssl-probe --labels-per-class 1000 abc.ssl"
bad "too few for every k" "too few training samples for every k" "ssl-probe -m knn -k 5000 abc.ssl"
ok "the smallest data: two classes of one and two" "embeddings train=3 test=4 names=cat,dog | ssl-probe -q -m linear"

# ---- Faults ------------------------------------------------------------------------------

size=$(wc -c <abc.ssl)
for n in 0 10 300 $((size / 2)) $((size - 1)); do
    bad "cut to $n bytes" "empty input|truncated" "head -c $n abc.ssl | ssl-probe"
done
bad "bytes after the trailer" "bytes after the trailer" "{ cat abc.ssl; echo; } | ssl-probe"
ok "set up a damaged copy" "{ head -c 40000 abc.ssl; printf '\\377\\000\\377'; tail -c +40004 abc.ssl; } >damaged.ssl; ! cmp -s abc.ssl damaged.ssl"
bad "a damaged frame" "damaged|malformed" "ssl-probe damaged.ssl"
exits 3 "an abort frame is passed on" "head -c 3000 abc.ssl | ssl-show --through 2>/dev/null | ssl-probe"
if [ -d "$FASHION" ]; then
    bad "a stream of another kind" "stream of images; expected embeddings" "ssl-load $FASHION --gray --limit 10 | ssl-probe"
else
    skip "a stream of another kind" "$FASHION is not there"
fi
bad "an image" "not an ssl-stream" "printf '\\211PNG\\r\\n' | ssl-probe"
exits 1 "a missing file" "ssl-probe nowhere.ssl"
says "cannot open 'nowhere.ssl': No such file or directory" "a missing file: message" "ssl-probe nowhere.ssl"
exits 1 "a full disk" "ssl-probe abc.ssl >/dev/full"
ok "a reader that has gone" "ssl-probe abc.ssl | :"
ok "-o writes the file" "ssl-probe abc.ssl >1; ssl-probe -o 2 abc.ssl; cmp 1 2"
ok "-o keeps the old file on failure" "echo old >3; ssl-probe -o 3 nan.ssl 2>/dev/null; [ \"\$(cat 3)\" = old ]"

# ---- Usage -----------------------------------------------------------------------------------

exits 2 "an unknown method" "ssl-probe -m svm"
exits 2 "an empty list" "ssl-probe -k ''"
exits 2 "a number twice" "ssl-probe -k 5,5"
exits 2 "k of 0" "ssl-probe -k 0"
exits 2 "three streams" "ssl-probe a b c"
exits 2 "folds of two streams" "ssl-probe --folds 3 a b"
exits 2 "folds and a test split" "ssl-probe --folds 3 --test val"
exits 2 "standard input twice" "ssl-probe - -"
exits 2 "testing on train" "ssl-probe --test train abc.ssl"
ok "--dry-run opens nothing" "ssl-probe --dry-run nowhere.ssl nor-here.ssl"
end
