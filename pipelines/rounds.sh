# Sourced, after cifar10.sh, by the scripts that train in rounds: embed all training images, cluster
# them, train on the clusters, again. Such a script sets, beside what cifar10.sh asks for,
#
#     ROUNDS   how many; EPOCHS is of each of them
#     LR       the learning rate of the first round; it falls to zero over the rounds, as a cosine
#     LAYER    ssl-embed's layer, from the second round on
#     FIRST    the same in the first round
#     CLUSTER  ssl-cluster's options
#     PARTS    what a round takes over from the one before: encoder, or encoder+heads
#     BY       even, where each cluster is to be seen equally often
#
# What a round has finished stays in $OUT/NAME.SEED and is not done again: T.clusters, T.tsv (how they agree
# with the classes and with the round before), T.model, T.log and T.checkpoint. Given again, an interrupted
# command goes on where it was, within a round too. NAME.SEED.rounds.tsv has a line for each round.

clock() { date +%s; }

# timed COMMAND ...: seconds go to $d/seconds if it succeeds.
timed() {
    begin=$(clock)
    "$@"
    echo $(($(clock) - begin)) >>"$d/seconds"
}

rate() { # ROUND
    awk -v t="$1" -v n="$ROUNDS" -v lr="$LR" 'BEGIN { printf "%.6g", lr * (1 + cos(atan2(0, -1) * (t - 1) / n)) / 2 }'
}

cluster() { # SEED ROUND
    layer=$LAYER previous=
    [ "$2" -gt 1 ] || layer=$FIRST
    [ "$2" -eq 1 ] || previous="--previous $d/$(($2 - 1)).clusters"
    ssl-load -q $CIFAR10 $LOAD --split train --seed "$1" | ssl-embed -q -m "$d/$(($2 - 1)).model" ${layer:+--layer "$layer"} |
        ssl-cluster -q $CLUSTER --seed $(($1 * 1000 + $2)) $previous --report "$d/$2.tsv" >"$d/$2.clusters.new"
    mv "$d/$2.clusters.new" "$d/$2.clusters"
}

train_round() { # SEED ROUND
    parts=$PARTS order=--shuffle
    [ "$2" -gt 1 ] || parts=encoder
    [ "$BY" != even ] || order="--uniform-by $d/$2.clusters"
    ssl-load -q $CIFAR10 $LOAD --split train --epochs "$EPOCHS" $order --seed $(($1 * 1000 + $2)) |
        ssl-augment -q $AUGMENT | ssl-pretext -q cluster --assign "$d/$2.clusters" |
        ssl-train -q --encoder "$ENCODER" --width "$WIDTH" $TRAIN --lr "$(rate "$2")" --schedule constant --warmup 0 \
            --init "$d/$(($2 - 1)).model" --init-parts "$parts" --checkpoint "$d/$2.checkpoint" --resume --log "$d/$2.log" -o "$d/$2.model"
}

# A line for each round that has clusters: those of its first head.
table_of_rounds() {
    for k in $(seq 1 "$ROUNDS"); do
        [ -s "$d/$k.clusters" ] || break
        awk -v t="$k" -v OFS='\t' 'NR == 1 && t == 1 { print "round", $0 } NR == 2 { print t, $0 }' "$d/$k.tsv"
    done
}

# In place of cifar10.sh's.
pretrain() { # NAME SEED
    d=$OUT/$1.$2
    [ ! -s "$OUT/$1.$2.model" ] || return 0
    mkdir -p "$d"
    if [ ! -s "$d/0.model" ]; then start "$2"; fi # not ||, under which the shell forgets -e
    for t in $(seq 1 "$ROUNDS"); do
        [ ! -s "$d/$t.model" ] || continue
        if [ ! -s "$d/$t.clusters" ]; then timed cluster "$2" "$t"; fi
        table_of_rounds >"$OUT/$1.$2.rounds.tsv"
        tail -n 1 "$OUT/$1.$2.rounds.tsv" >&2
        timed train_round "$2" "$t"
        rm -f "$d/$t.checkpoint"
    done
    cp "$d/$ROUNDS.log" "$OUT/$1.$2.log"
    cp "$d/$ROUNDS.model" "$OUT/$1.$2.model.new"
    mv "$OUT/$1.$2.model.new" "$OUT/$1.$2.model"
}

# The random network that the first round clusters by: $d/0.model.
start() { # SEED
    ssl-load -q $CIFAR10 $LOAD --split train --shuffle --seed "$1" | ssl-augment -q $AUGMENT | ssl-pretext -q labels |
        ssl-train -q --encoder "$ENCODER" --width "$WIDTH" $START --steps 0 -o "$d/0.model"
}

# Of all rounds, without what an interruption lost.
seconds() { awk '{ s += $1 } END { printf "%d", s }' "${1%.log}/seconds"; }
