# Sourced by the scripts that pretrain on CIFAR-10 and measure there. Such a script sets
#
#     SYSTEM   its name, under which results are kept
#     LOAD     ssl-load's options for the images, such as --size 48
#     AUGMENT  ssl-augment's operands
#     TASK     ssl-pretext's operand
#     TRAIN    further options of ssl-train
#     EPOCHS   of pretraining
#     PROBE    further options of ssl-probe
#     CLUSTERS how many clusters of k-means are compared with the classes; none if empty
#
# (LOAD ... EPOCHS only where the environment has not), and ends with `cifar10 "$@"`, given seeds.
# Each seed's measurements, of the pretrained encoder, of the same one with random weights, and of
# raw pixels, go to pipelines/results/SYSTEM.SEED.tsv; pipelines/tabulate makes the table. Finished
# seeds are kept and an interrupted training goes on from its checkpoint: give the command again
# until it is done.
#
# An encoder is read at the layer that is best by cross-validation on HELD (10,000) of the training images;
# the test images have no say in it. The random one has its own best layer.
#
# From the environment: BIN, CIFAR10 (tars with train/CLASS/NAME.jpg and test/...), OUT (models and
# logs), RESULTS, ENCODER, WIDTH, HELD.
here=$(cd "$(dirname "$0")" && pwd)
BIN=$(cd "${BIN:-$here/../build/release}" && pwd)
PATH=$BIN:$PATH
CIFAR10=${CIFAR10:-$here/../../shared/data/cifar10-train.tar $here/../../shared/data/cifar10-test.tar}
RESULTS=${RESULTS:-$here/results}
ENCODER=${ENCODER:-resnet10}
WIDTH=${WIDTH:-16}
PROBE=${PROBE-}
CLUSTERS=${CLUSTERS-}
HELD=${HELD:-10000}

examples() { # SEED
    ssl-load -q $CIFAR10 $LOAD --split train --epochs "$EPOCHS" --shuffle --seed "$1" |
        ssl-augment -q $AUGMENT | ssl-pretext -q $TASK
}

# The layer of MODEL that is best on held-out training images; kept in MODEL.layer.
best_layer() { # MODEL
    held=$OUT/held.ssl
    [ -s "$1.layer" ] || {
        [ -s "$held" ] || {
            ssl-load -q $CIFAR10 $LOAD --split train --limit "$HELD" --balance --seed 0 >"$held.new"
            mv "$held.new" "$held"
        }
        "$here/best-layer" "$1" <"$held" >"$1.layer.new"
        mv "$1.layer.new" "$1.layer"
    }
    head -n 1 "$1.layer" | cut -f 1
}

# measure SEED PRETRAINING ENCODER SECONDS PRETEXT MODEL [LAYER]: the probe's lines, with what was measured in front.
measure() {
    ssl-load -q $CIFAR10 $LOAD | ssl-embed -q -m "$6" ${7:+--layer "$7"} >"$OUT/embeddings"
    ssl-probe -q -k 20 $PROBE -o "$OUT/probe.tsv" "$OUT/embeddings"
    : >"$OUT/clusters.tsv"
    [ -z "$CLUSTERS" ] || ssl-cluster -q -k "$CLUSTERS" --report "$OUT/clusters.tsv" <"$OUT/embeddings" >"$OUT/clusters"
    awk -F '\t' -v OFS='\t' -v front="cifar10	$2	$3	$EPOCHS	$1	$4	$5	${7:--}" '
    FNR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
    /^#/ { next }
    FILENAME ~ /probe[.]tsv$/ { of = $c["history"] OFS $c["digest"]; print front, $c["method"], $c["setting"] ($c["labels"] == "all" ? "" : ", " $c["labels"] " labels a class"), $c["accuracy"], $c["low"], $c["high"], $c["n_test"], of, "-"; next }
    {   # All images, whatever their split: no label was used. Wilson'\''s interval.
        n = $c["labelled"]; p = $c["matched"]; z = 1.959964
        middle = (p + z * z / 2 / n) / (1 + z * z / n); half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / 4 / n / n)
        printf "%s\tclusters\tk=%d\t%.2f\t%.2f\t%.2f\t%d\t%s\t%.4f\n", front, $c["clusters"], 100 * p, 100 * (middle - half), 100 * (middle + half), n, of, $c["nmi"]
    }' "$OUT/probe.tsv" "$OUT/clusters.tsv"
}

# The seconds of a training on a free machine, whatever else this one had to do meanwhile: its images at
# the rate of the fastest quarter of its log.
seconds() {
    awk -F '[:,]' '{
        for (i = 1; i < NF; i++) { if ($i ~ /"images"/) images = $(i + 1); if ($i ~ /"images_per_second"/) print $(i + 1), images }
    }' "$1" | sort -n | awk '{ rate[NR] = $1; if ($2 > images) images = $2 }
        END { printf "%d", images / rate[int(NR * 3 / 4) + (NR * 3 % 4 > 0)] }'
}

# How well the task itself went at the end: the accuracy, where it has one, else the loss.
pretext() {
    tail -n 1 "$1" | awk -F '[:,]' '{
        for (i = 1; i < NF; i++) { if ($i ~ /"accuracy"/) a = sprintf("%.3f", $(i + 1)); if ($i ~ /"loss"/) l = sprintf("loss %.4f", $(i + 1)) }
        print a == "" ? l : a }'
}

heading='data\tpretraining\tencoder\tepochs\tseed\ttrain_seconds\tpretext\tlayer\tmethod\tsetting\taccuracy\tlow\thigh\tn_test\thistory\tdigest\tnmi\n'

# pretrain NAME SEED: the model $OUT/NAME.SEED.model.
pretrain() {
    [ -s "$OUT/$1.$2.model" ] ||
        examples "$2" | ssl-train --encoder "$ENCODER" --width "$WIDTH" $TRAIN \
            --checkpoint "$OUT/$1.$2.ckpt" --resume --log "$OUT/$1.$2.log" -o "$OUT/$1.$2.model"
}

# The same network with random weights: $OUT/random.SEED.model.
random() { # SEED
    [ -s "$OUT/random.$1.model" ] ||
        examples "$1" | ssl-train -q --encoder "$ENCODER" --width "$WIDTH" $TRAIN --steps 0 -o "$OUT/random.$1.model"
}

# pretrained NAME SEED: its rows. And those of the random network.
pretrained() {
    m=$OUT/$1.$2
    layer=$(best_layer "$m.model")
    measure "$2" "$1" "$ENCODER-$WIDTH" "$(seconds "$m.log")" "$(pretext "$m.log")" "$m.model" "$layer"
}
untrained() { # SEED
    m=$OUT/random.$1
    layer=$(best_layer "$m.model")
    measure "$1" random "$ENCODER-$WIDTH" 0 - "$m.model" "$layer"
}

# RESULTS.md, of all that there is.
tabulated() {
    RESULTS=$RESULTS "$here/tabulate" >"${RESULTS%/*}/RESULTS.md.new"
    mv "${RESULTS%/*}/RESULTS.md.new" "${RESULTS%/*}/RESULTS.md"
    cat "${RESULTS%/*}/RESULTS.md"
}

cifar10() { # SEED ...
    OUT=${OUT:-$here/../build/$SYSTEM}
    mkdir -p "$OUT" "$RESULTS"
    [ $# -gt 0 ] || set -- 1 2 3
    for seed; do
        [ ! -s "$RESULTS/$SYSTEM.$seed.tsv" ] || continue
        pretrain "${SYSTEM%-cifar10}" "$seed"
        random "$seed"
        {
            printf "$heading"
            pretrained "${SYSTEM%-cifar10}" "$seed"
            untrained "$seed"
            measure "$seed" none pixels 0 - pixels
        } >"$OUT/table"
        mv "$OUT/table" "$RESULTS/$SYSTEM.$seed.tsv"
    done
    tabulated
}
