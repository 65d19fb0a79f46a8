# The scripts in pipelines/: each runs on a few images, keeps what is done, and makes its table.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"

ok "a model" "photographs photos && ssl-load photos --split train --size 32 | ssl-pretext rotate |
    ssl-train -q --encoder convnet --width 4 --batch 8 -o m"
ok "best-layer" "ssl-load photos --split train --size 32 | $SRC/pipelines/best-layer m >layers"
is "layer1 layer2 layer3 stem" "names every map" "cut -f 1 layers | sort | paste -s -d ' '"
ok "the best first" "cut -f 2 layers | sort -c -gr"
exits 2 "best-layer needs a model" "$SRC/pipelines/best-layer </dev/null"
exits 3 "best-layer of what is no model" "ssl-load photos --size 32 | $SRC/pipelines/best-layer layers"

if [ -f "$DATA/cifar10-train.tar" ]; then
    CIFAR10="$DATA/cifar10-train.tar $DATA/cifar10-test.tar" OUT=$T/models RESULTS=$T/results
    export CIFAR10 OUT RESULTS
    small="HELD=60 WIDTH=4 EPOCHS=1 FOLDS=2"
    for name in jigsaw context colorize inpaint superres rotation; do
        size=32
        [ $name != jigsaw ] || size=48
        run="env $small LOAD='--size $size --limit 300' $SRC/pipelines/$name-cifar10 1"
        ok "$name" "$run"
        prints "^\| cifar10 \| $name \| resnet10-4 \| 1 \| (stem|layer[1-4]) \| linear.*\*\*[0-9.]+\*\*" "$name: a row" "$run"
    done
    is 6 "a table for each" "ls results | wc -l"
    ok "what is done is not done again" "rm -r models && $run && ! ls models/*.model"
    guards="env HELD=60 WIDTH=4 FOLDS=2 EPOCHS_ALL=1 LIMIT='--limit 300' OUT=$T/guards RESULTS=$T/gr $SRC/pipelines/guards-cifar10"
    ok "guards" "$guards"
    is 18 "a line for each guard" "cut -f 2 gr/guards-cifar10.1.tsv | grep -vE 'pretraining|random' | sort -u | wc -l"
    ok "what is done is kept" "rm guards/*/*.model && $guards && ! ls guards/*/*.model"
else
    skip "pipelines on CIFAR-10" "no $DATA/cifar10-train.tar"
fi
end
