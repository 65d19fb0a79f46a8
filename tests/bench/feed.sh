#!/bin/sh
# Loading and augmenting against Pillow, torchvision and torch's DataLoader:
# images a second, whole pipelines held on one core and on two.
#
#     make bench                  or  BIN=build/release tests/bench/feed.sh [ROW ...]
#     ... | tests/bench/record feed        puts the table into RESULTS.md
#
# RUNS (3) runs of each, interleaved; medians. CORES ("0 1"): which. Ours from
# the start of the first program to the end of the last; theirs without
# imports and the start of workers. Where PRIORITY (1) of SCHED_RR is allowed, both have it. Real images from DATA (../shared/data).
set -u
SRC=$(cd "$(dirname "$0")/../.." && pwd)
BIN=$(cd "${BIN:-$SRC/build/release}" && pwd) || exit 1
DATA=${DATA:-$SRC/../shared/data} RUNS=${RUNS:-3} CORES=${CORES:-0 1} PRIORITY=${PRIORITY:-1}
PATH=$BIN:$PATH
export PATH
for f in cifar10-test.tar clothing-160.tar; do
    [ -f "$DATA/$f" ] || { echo "feed: no $DATA/$f: nothing is measured"; exit 0; }
done
two=$(echo "$CORES" | tr ' ' ',') one=${CORES##* }
now=
chrt -r "$PRIORITY" true 2>/dev/null && now="chrt -r $PRIORITY" # so that other work on the machine does not disturb
W=$(mktemp -d) || exit 1
trap 'rm -rf "$W"' EXIT
mkdir "$W/large"
/usr/bin/python3 "$SRC/tests/bench/feed.py" make "$DATA/clothing-160.tar" "$W/large" || exit 1
(cd "$W/large" && tar cf ../large.tar -- *.jpg) || exit 1
ssl-load -q "$DATA/cifar10-test.tar" --epochs 10 >"$W/small.ssl" || exit 1

jitter='jitter:0.4,0.4,0.4,0.1,p=0.8 gray:p=0.2'
small="ssl-augment -q -j \$j crop:32,scale=0.08-1 flip $jitter"
large="ssl-load -q -j \$j $W/large.tar --epochs 8 | ssl-augment -q -j 1 crop:224,scale=0.08-1 flip"
# Decoding takes the larger part of the photographs' time, so the threads are its: one of ssl-augment keeps up.
# ROW: what is shown, ours (with $j threads), its images, theirs' images and tar, least images/s, least ratio.
row() {
    case $1 in
    small) what='32 px: crop, flip, jitter, grey' ours="$small <$W/small.ssl" n=100000 m=4000 tar=$DATA/cifar10-test.tar least=80000 ratio=30 ;;
    small-blur) what='... and blur' ours="$small blur:3,0.1-2,p=0.5 <$W/small.ssl" n=100000 m=3000 tar=$DATA/cifar10-test.tar least=50000 ratio=30 ;;
    decode) what='32 px: JPEG in a tar, decoded' ours="ssl-load -q -j \$j $DATA/cifar10-test.tar --epochs 5" n=50000 m=8000 tar=$DATA/cifar10-test.tar least=50000 ratio= ;;
    large) what='500 x 375 JPEG to 224 px: crop, flip' ours="$large" n=3200 m=160 tar=$W/large.tar least=700 ratio=1.7 ;;
    large-jitter) what='... and jitter, grey' ours="$large $jitter" n=3200 m=160 tar=$W/large.tar least=600 ratio=3.3 ;;
    large-blur) what='... and blur' ours="$large $jitter blur:23,0.1-2,p=0.5" n=3200 m=160 tar=$W/large.tar least=450 ratio=4.4 ;;
    *) echo "feed: no row $1" >&2; exit 2 ;;
    esac
}
ours() { # images a second of the current row, on the cores $1 with $2 threads
    j=$2 from=$(date +%s%N)
    export j
    $now taskset -c "$1" sh -c "$ours" >/dev/null || exit 1
    echo $(((1000000000 * n) / ($(date +%s%N) - from)))
}
copies() { # two single-threaded copies at once, a core each: what the second core has to give here
    j=1 from=$(date +%s%N)
    export j
    for core in $CORES; do
        $now taskset -c "$core" sh -c "$ours" >/dev/null &
    done
    wait
    echo $(((2000000000 * n) / ($(date +%s%N) - from)))
}
theirs() {
    $now taskset -c "$1" /usr/bin/python3 "$SRC/tests/bench/feed.py" "$2" "$tar" "$m" "$3" | awk '{ printf "%.0f\n", $2 / $1 }'
}
median() { sort -n | sed -n "$(((RUNS + 1) / 2))p"; }

[ $# -gt 0 ] || set -- small small-blur decode large large-jitter large-blur
i=0
while [ $i -lt "$RUNS" ]; do
    i=$((i + 1))
    for r; do
        row "$r"
        ours "$one" 1 >>"$W/$r.1"
        theirs "$one" "$r" 0 >>"$W/$r.torch1"
        [ "$one" = "$two" ] && continue
        ours "$two" 2 >>"$W/$r.2"
        copies >>"$W/$r.copies"
        theirs "$two" "$r" 2 >>"$W/$r.torch2"
    done
done
echo "Medians of $RUNS runs, interleaved; $(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1), cores $CORES."
echo 'The pictures of 500 x 375 have '"$(du -k "$W/large.tar" | awk '{ print int($1 / 400) }')"' kB each. Aims are in parentheses.'
echo
echo '| images/s | one core | torchvision | ratio | two cores | torchvision, 2 workers | gain of the second core | of two copies, a core each |'
echo '|---|---:|---:|---:|---:|---:|---:|---:|'
for r; do
    row "$r"
    a=$(median <"$W/$r.1") b=$(median <"$W/$r.torch1") c=- d=- copies=-
    [ "$one" = "$two" ] || { c=$(median <"$W/$r.2") d=$(median <"$W/$r.torch2") copies=$(median <"$W/$r.copies"); }
    awk -v OFS='' -v what="$what" -v a="$a" -v least=$least -v b="$b" -v ratio="$ratio" -v c="$c" -v d="$d" -v copies="$copies" 'BEGIN {
        printf "| %s | %d (%d) | %d | %.1f%s | %s | %s | %s | %s |\n", what, a, least, b, a / b, ratio ? " (" ratio ")" : "", c, d,
            c == "-" ? "-" : sprintf("%.2f (1.7)", c / a), c == "-" ? "-" : sprintf("%.2f", copies / a) }'
done
