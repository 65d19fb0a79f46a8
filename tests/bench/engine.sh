#!/bin/sh
# The engine against PyTorch: time of a step (forward, backward and SGD, or
# inference), its ratio to PyTorch's faster memory format, and peak memory.
#
#     make bench                       or  BIN=build/release tests/bench/engine.sh [NETWORK ...]
#
# RUNS (5) runs of each, interleaved, each the median of STEPS (3) steps after
# a first one; the medians of the runs are compared. THREADS: default all CPUs.
# On a busy machine compare CPU times with THREADS=1.
set -u
SRC=$(cd "$(dirname "$0")/../.." && pwd)
BIN=$(cd "${BIN:-$SRC/build/release}" && pwd) || exit 1
THREADS=${THREADS:-$(nproc)} RUNS=${RUNS:-5} STEPS=${STEPS:-3}
[ $# -gt 0 ] || set -- resnet20 resnet18 resnet18_64 resnet50
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT

for network; do
    for mode in train infer; do
        i=0
        while [ $i -lt "$RUNS" ]; do
            i=$((i + 1))
            "$BIN/tests/bench/engine" "$network" "$mode" "$STEPS" "$THREADS" || exit 1
            for layout in channels_last contiguous; do
                /usr/bin/python3 "$SRC/tests/bench/engine.py" "$network" "$mode" "$STEPS" $layout "$THREADS" || exit 1
            done
        done
    done
done >"$out"

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
    print "network\tpass\tengine ms\tPyTorch ms\tratio\tengine CPU ms\tPyTorch CPU ms\tratio\tengine MB\tPyTorch MB"
    for (i = 1; i <= count; i++) {
        key = order[i]
        best = "torch_channels_last"
        if (median(time[key, "torch_contiguous"]) + 0 < median(time[key, best]) + 0) best = "torch_contiguous"
        e = median(time[key, "engine"]); p = median(time[key, best])
        ec = median(cpu[key, "engine"]); pc = median(cpu[key, best])
        printf "%s\t%.1f\t%.1f\t%.2f\t%.1f\t%.1f\t%.2f\t%d\t%d\n", key, e, p, p / e, ec, pc, pc / ec,
            median(memory[key, "engine"]), median(memory[key, best])
    }
}' "$out"
