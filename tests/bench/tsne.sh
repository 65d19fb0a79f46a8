#!/bin/sh
# t-SNE beside scikit-learn's: time, and trustworthiness (how far those who are neighbours on the map are
# neighbours in truth), of 10,000 embeddings of Fashion-MNIST; and our time for all 70,000.
#
#     make bench                       or  BIN=build/release tests/bench/tsne.sh
#
# STEPS (1500) of training make the encoder. THREADS: default all CPUs.
set -u
SRC=$(cd "$(dirname "$0")/../.." && pwd)
BIN=$(cd "${BIN:-$SRC/build/release}" && pwd) || exit 1
FASHION=${FASHION:-/usr/share/datasets/fashion-mnist} THREADS=${THREADS:-$(nproc)} STEPS=${STEPS:-1500}
PATH=$BIN:$PATH
[ -d "$FASHION" ] || { echo "tsne.sh: skip: $FASHION is not there (dataset-fashion-mnist)" >&2; exit 0; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
ssl-load "$FASHION" --split train --epochs inf --shuffle | ssl-augment crop:28,pad=2 flip | ssl-pretext rotate |
    ssl-train -q --encoder convnet --width 8 --batch 64 --steps "$STEPS" -o rot.model || exit 1
ssl-load "$FASHION" | ssl-embed -q -m rot.model >all.ssl || exit 1
ssl-load "$FASHION" --split test | ssl-embed -q -m rot.model >test.ssl && ssl-convert test.ssl -o test.npz || exit 1

seconds() {
    from=$(date +%s.%N)
    "$@" || exit 1
    echo "$(date +%s.%N) $from" | awk '{ printf "%.1f\n", $1 - $2 }'
}
ours=$(seconds ssl-plot map -q -j "$THREADS" test.ssl -o test.tsv)
pixels=$(seconds ssl-plot map -q -j "$THREADS" all.ssl -o all.tsv)
if /usr/bin/python3 -c 'import sklearn' 2>/dev/null; then
    /usr/bin/python3 "$SRC/tests/bench/tsne.py" test.npz test.tsv "$ours" "$THREADS" || exit 1
else
    echo "tsne.sh: skip scikit-learn: python3-sklearn is not installed" >&2
fi
echo "| ssl-plot, 70,000 | $pixels s | | |"
