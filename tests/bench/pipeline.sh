#!/bin/sh
# Whole pipes: what the processes cost.
#
#     make bench          or  BIN=build/release CIFAR10=cifar10-train.tar tests/bench/pipeline.sh
#
# 1. One 32 px image through ssl-load and ssl-embed, processes started and
#    ended, beside the import of PyTorch: median of 11. Aim: under 100 ms.
# 2. Images a second of ssl-train at the end of a pipe (CIFAR-10's tar,
#    augmented, rotated; ResNet-18, batch 128) against ssl-train reading the same
#    examples from a file: medians of RUNS (5) interleaved runs of STEPS (6)
#    steps. Aim: at least 90 %.
set -u
SRC=$(cd "$(dirname "$0")/../.." && pwd)
BIN=$(cd "${BIN:-$SRC/build/release}" && pwd) || exit 1
PATH=$BIN:$PATH
CIFAR10=${CIFAR10:-$SRC/../shared/data/cifar10-train.tar} RUNS=${RUNS:-5} STEPS=${STEPS:-6}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

now() { date +%s%N; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# elapsed N COMMAND: milliseconds of each of N runs.
elapsed() {
    n=$1
    while [ "$n" -gt 0 ]; do
        n=$((n - 1)) begin=$(now)
        sh -c "$2" >/dev/null || exit 1
        echo $((($(now) - begin) / 1000)) | awk '{ print $1 / 1000 }'
    done
}

mkdir -p one/train/cat
ssl-load -q "$SRC/tests/files/good-rgb.png" --size 32 | ssl-show -o one/train/cat/1.png
ssl-train -q --encoder resnet18 --input 32x32x3 --steps 0 -o model || exit 1
echo "| start to end | ms |"
echo "|---|---:|"
echo "| ssl-load one image, ssl-embed with a ResNet-18 of 45 MB | $(elapsed 11 'ssl-load -q one --size 32 | ssl-embed -q -m model' | median) |"
if /usr/bin/python3 -c 'import torch' 2>/dev/null; then
    echo "| python3 -c 'import torch' | $(elapsed 5 "/usr/bin/python3 -c 'import torch'" | median) |"
fi
echo

if [ ! -f "${CIFAR10%% *}" ]; then
    echo "pipeline.sh: skip the pipe: no CIFAR-10 tar; set CIFAR10" >&2
    exit 0
fi
source="ssl-load -q ${CIFAR10%% *} --split train --limit $((STEPS * 128)) --shuffle | ssl-augment -q crop:32,pad=4 flip | ssl-pretext -q rotate"
train="ssl-train -q --encoder resnet18 --batch 128 -o trained"
sh -c "$source" >examples || exit 1
i=0
while [ $i -lt "$RUNS" ]; do
    i=$((i + 1))
    elapsed 1 "$source | $train" >>pipe
    elapsed 1 "$train <examples" >>file
done
awk -v n=$((STEPS * 128)) -v pipe="$(median <pipe)" -v file="$(median <file)" 'BEGIN {
    print "| examples from | images/s | |"
    print "|---|---:|---:|"
    printf "| a saved stream | %.1f | |\n| the pipe | %.1f | %.1f %% |\n", 1e3 * n / file, 1e3 * n / pipe, 100 * file / pipe
}'
