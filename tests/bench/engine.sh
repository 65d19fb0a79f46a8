#!/bin/sh
# The engine against PyTorch and, in inference, ONNX Runtime: time of a step
# (forward, backward and SGD, or inference), its ratio to PyTorch's faster memory
# format, and peak memory.
#
#     make bench                       or  BIN=build/release tests/bench/engine.sh [NETWORK ...]
#
# RUNS (5) runs of each, interleaved, each the median of STEPS (3) steps after
# a first one; the medians of the runs are compared. THREADS: default all CPUs.
# On a busy machine compare CPU times with THREADS=1.
# ONNX Runtime is npm's onnxruntime-node, in ONNX (build/onnxruntime).
set -u
SRC=$(cd "$(dirname "$0")/../.." && pwd)
BIN=$(cd "${BIN:-$SRC/build/release}" && pwd) || exit 1
THREADS=${THREADS:-$(nproc)} RUNS=${RUNS:-5} STEPS=${STEPS:-3} ONNX=${ONNX:-$SRC/build/onnxruntime}
[ $# -gt 0 ] || set -- resnet20 resnet18 resnet18_64 resnet50
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
out=$work/out

if [ ! -d "$ONNX/node_modules/onnxruntime-node" ] && command -v npm >/dev/null; then
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$ONNX" onnxruntime-node >&2
fi
onnx=
if ! command -v node >/dev/null || [ ! -d "$ONNX/node_modules/onnxruntime-node" ]; then
    echo "engine.sh: skip ONNX Runtime: npm install --ignore-scripts --prefix $ONNX onnxruntime-node" >&2
else
    onnx=yes
fi

for network; do
    for mode in train infer; do
        [ "$mode$onnx" != inferyes ] ||
            sizes=$(/usr/bin/python3 "$SRC/tests/bench/engine.py" "$network" export "$work/$network.onnx" 2>/dev/null) || exit 1
        i=0
        while [ $i -lt "$RUNS" ]; do
            i=$((i + 1))
            "$BIN/tests/bench/engine" "$network" "$mode" "$STEPS" "$THREADS" || exit 1
            for layout in channels_last contiguous; do
                /usr/bin/python3 "$SRC/tests/bench/engine.py" "$network" "$mode" "$STEPS" $layout "$THREADS" || exit 1
            done
            if [ "$mode$onnx" = inferyes ]; then
                node "$SRC/tests/bench/onnxruntime.js" "$ONNX" "$work/$network.onnx" "$network" $sizes "$STEPS" "$THREADS" || exit 1
            fi
        done
        rm -f "$work/$network.onnx"
    done
done >"$out" || exit 1

# Columns of $out: program, network, mode, time, CPU time, rate, memory, each with its unit.
awk -F '\t' '
function median(list,    v, n, i, j, t) {
    n = split(list, v, " ")
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return v[int((n + 1) / 2)]
}
{
    key = $2 "\t" $3
    if (!(key in seen)) { seen[key] = 1; order[++count] = key }
    time[key, $1] = time[key, $1] " " ($4 + 0)
    cpu[key, $1] = cpu[key, $1] " " ($5 + 0)
    memory[key, $1] = memory[key, $1] " " ($7 + 0)
}
END {
    print "| network | pass | engine ms | PyTorch ms | ratio | CPU time, ratio | ONNX Runtime ms | ratio | engine MB | PyTorch MB | ONNX Runtime MB |"
    print "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for (i = 1; i <= count; i++) {
        key = order[i]
        best = "torch_channels_last"
        if (median(time[key, "torch_contiguous"]) + 0 < median(time[key, best]) + 0) best = "torch_contiguous"
        e = median(time[key, "engine"]); p = median(time[key, best])
        split(key, name, "\t")
        printf "| %s | %s | %.1f | %.1f | **%.2f** | %.2f ", name[1], name[2], e, p, p / e, median(cpu[key, best]) / median(cpu[key, "engine"])
        if ((key, "onnxruntime") in time) {
            o = median(time[key, "onnxruntime"])
            printf "| %.1f | **%.2f** ", o, o / e
        } else
            printf "| | "
        printf "| %d | %d | %s |\n", median(memory[key, "engine"]), median(memory[key, best]), median(memory[key, "onnxruntime"])
    }
}' "$out"
