#!/bin/sh
# SimCLR beside the same in PyTorch, on CIFAR-10.
#
#     tests/bench/simclr.sh                     how fast both train (this is what make bench runs)
#     tests/bench/simclr.sh SECONDS [SEED]      what both have learnt in as long, and in as many steps
#
# The latter takes some three times the SECONDS, with the machine to itself, and writes its rows to
# $RESULTS/simclr-beside-pytorch-SECONDSs.SEED.tsv. What is finished is not done again. BIN, OUT and RESULTS are as
# in pipelines/Makefile.
set -eu
SRC=$(cd "$(dirname "$0")/../.." && pwd)
BIN=$(cd "${BIN:-$SRC/build/release}" && pwd)
PATH=$BIN:$PATH
export BIN SRC PATH
[ $# -gt 0 ] || exec /usr/bin/python3 "$SRC/tests/bench/simclr.py"
seconds=$1 seed=${2:-1}
mkdir -p "${OUT:-$SRC/build/pipelines}"
OUT=$(cd "${OUT:-$SRC/build/pipelines}" && pwd) RESULTS=$(cd "${RESULTS:-$SRC/pipelines/results}" && pwd)
torch=$OUT/simclr-pytorch.$seed.${seconds}s

if [ ! -s "$torch" ]; then
    /usr/bin/python3 "$SRC/tests/bench/simclr.py" "$torch.new" --seconds "$seconds" --seed "$seed"
    mv "$torch.new.log" "$torch.log"
    mv "$torch.new" "$torch"
fi
steps=$(sed -n 's/.*"step": \([0-9]*\).*/\1/p' "$torch.log" | tail -n 1)

# ours BUDGET PRETRAINING: the rows of our SimCLR, under that name.
ours() {
    make -C "$SRC/pipelines" simclr-cifar10 SYSTEMS=simclr BUDGET="$1" SEEDS="$seed" OUT="$OUT" RESULTS="$OUT/beside" \
        NAME="simclr-$1" BIN="$BIN" >&2
    awk -F '\t' -v OFS='\t' -v name="$2" '$2 == "simclr" { $2 = name; print }' "$OUT/beside/simclr-$1.$seed.tsv"
}

table=$RESULTS/simclr-beside-pytorch-${seconds}s.$seed.tsv
{
    "$SRC/pipelines/measured"
    ours "${seconds}s" "simclr, as long"
    ours "${steps}steps" "simclr, as many steps"
    ssl-probe -q -k 20 -o "$torch.probe" "$torch"
    "$SRC/pipelines/measured" "cifar10	simclr in PyTorch	resnet10-16	-	$seed" - "$torch.log" "$torch.probe"
    echo "# tests/bench/simclr.sh $seconds $seed"
} >"$table.new"
mv "$table.new" "$table"
"$SRC/pipelines/tabulate" "$table"
