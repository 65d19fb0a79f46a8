# pipelines/: every system and experiment on a few images, which keep what is done and make their tables.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"

ok "a model" "photographs photos && ssl-load photos --split train --size 32 | ssl-pretext rotate |
    ssl-train -q --encoder convnet --width 4 --batch 8 -o m"
ok "best-layer" "ssl-load photos --split train --size 32 | $SRC/pipelines/best-layer m >layers"
is "layer1 layer2 layer3 stem" "names every map" "cut -f 1 layers | sort | paste -s -d ' '"
ok "the best first" "cut -f 2 layers | sort -c -gr"
exits 2 "best-layer needs a model" "$SRC/pipelines/best-layer </dev/null"
exits 3 "best-layer of what is no model" "ssl-load photos --size 32 | $SRC/pipelines/best-layer layers"

budget=$SRC/pipelines/budget
is "3000 1" "a budget of steps" "$budget 3000steps 128 1"
is "1562 1" "of images" "$budget 200000images 128 1"
is "375 1" "of time" "$budget 8m 128 1 100"
is "22 14" "shared by rounds, which also cluster" "$budget 8m 128 14 100 5"
is "46 4" "by fewer, where clustering would take more than half of it" "$budget 8m 128 14 100 60"
exits 2 "too small" "$budget 8m 128 14 100 490"
exits 2 "no budget" "$budget 8x 128 1 100"

exp="make -s -C $SRC/pipelines BIN=$BIN HELD=40 FOLDS=2 WIDTH=4 OUT=out RESULTS=results SEEDS=1"
prints 'make -C pipelines table BUDGET=8m ' "a list of experiments" "make -s -C $SRC/pipelines"
exits 2 "a table needs a budget" "$exp table"
exits 2 "and one that is understood" "$exp table BUDGET=8x DATA=photos"

# A few hundred real images, of ten classes.
few() { ssl-load -q $1 --split "$2" --limit "$3" --balance --size 32 >"$2.ssl"; }
real=$FASHION
[ ! -f "$DATA/cifar10-train.tar" ] || real="$DATA/cifar10-train.tar $DATA/cifar10-test.tar"
if [ -e "${real%% *}" ]; then
    few "$real" train 240 && few "$real" test 160
    exp="$exp DATA='train.ssl test.ssl'"
    table="$exp table BUDGET=3steps ROUNDS=2 -j2"
    ok "every system, in one table" "$table >table.md 2>log || { cat log; false; }"
    for s in rotation jigsaw context colorize inpaint superres simclr pirl deepcluster selflabel supervised random; do
        prints "^\| train \| $s \| resnet10-4 \| (-|[0-9]* images) \| (stem|layer[1-4]) \| .* \| \*\*[0-9.]+\*\* ± [0-9.]+ \| .* \| [0-9a-f]{8} \|$" "$s: a row" "cat table.md"
    done
    prints '^\| train \| none \| pixels \| - \| - \| - \| \*\*' "pixels" "cat table.md"
    prints '^\| train \| k-means \| pixels \|.* - \| [0-9.]+ ± [0-9.]+ \| 0\.[0-9]+ \|' "k-means of pixels" "cat table.md"
    ok "sorted" "sed -n 's/.*\*\*\(.*\)\*\*.*/\1/p' table.md | sort -c -gr"
    is "data pretraining encoder seen seeds" "the same as TSV" "head -n 1 out/table-*.tsv | cut -f 1-5 | tr '\t' ' '"
    prints '^# make -C pipelines table BUDGET=.3steps. WIDTH=.4. ' "says how it was made" "cat results/table-*.1.tsv"
    prints '^`make -C pipelines table BUDGET=.3steps. .*`, seeds 1$' "and RESULTS.md does" "cat RESULTS.md"
    prints '<svg' "a picture" "head -c 200 out/table-*.svg"
    prints 'steps=3( |$)' "the history has the steps" "ssl-show -n 0 out/rotation.1.*.model"

    exits 2 "a table of nothing" "$SRC/pipelines/tabulate --tsv"
    ok "a page" "printf 'a\\n<!-- results: table -->\\nold\\n<!-- end of results -->\\nb\\n' >page && RESULTS=results $SRC/pipelines/insert page"
    is "a b 14 0" "takes in the table, in place of what was there" "echo \$(head -n 1 page) \$(tail -n 1 page) \$(grep -cE '^\| [a-z-]+(: [a-z ]+)? \| ([0-9.]+ ±|-)' page) \$(grep -c old page)"
    ok "twice is once" "cp page page1 && RESULTS=results $SRC/pipelines/insert page && cmp page page1"
    exits 1 "a page without an end" "echo '<!-- results: table -->' >page; RESULTS=results $SRC/pipelines/insert page"

    files() { ls -l --time-style=full-iso out | grep -E "$1"; }
    ok "what is done is not done again" "files . >1; $table; files '(model|layer|rows)$' >2; grep -E '(model|layer|rows)$' 1 | cmp - 2"
    one="$exp table BUDGET=3steps SYSTEMS='rotation random'"
    ok "another probe, the same models" "files 'model$' >1; $one PROBE='--l2 1'; files 'model$' | cmp 1 - && ls out/rotation.1.*.rows | wc -l | grep -qx 2"
    ok "read at another size, the same models, but their layers anew" "files 'model$' >1; files 'layer$' | wc -l >2
        $one EMBED='--size 40'; files 'model$' | cmp 1 - && [ \$(files 'layer$' | wc -l) -gt \$(cat 2) ]"
    ok "another stage, another model; the first is kept" "$one AUGMENT='crop flip' && ls out/rotation.1.*.model | wc -l | grep -qx 2"
    ok "which its history tells" "ssl-show -n 0 \$(ls -t out/rotation.1.*.model | head -n 1) | tr -s ' \n' ' ' | grep -q 'scale=0.2-1.*flip'"
    ok "the labels stay labels" "$exp table BUDGET=3steps SYSTEMS=supervised PRETEXT=rotate && ssl-show -n 0 out/supervised.1.*.model | grep -q labels"

    ok "a budget of time" "$exp table BUDGET=5s CALIBRATION=2 SYSTEMS='rotation deepcluster' ROUNDS=1 && cat out/rotation.*.speed | grep -q '^rate.rotation := [1-9]'"
    ok "its calibration is kept" "files 'speed$' >1; $exp table BUDGET=20s CALIBRATION=2 SYSTEMS='rotation' -n; files 'speed$' | cmp 1 -"
    says "no system 'simcrl'" "an unknown system" "$exp table BUDGET=3steps SYSTEMS=simcrl -n"
    says "no system 'nosuch'" "one by itself" "$exp nosuch -n"
    says "give SEEDS" "no seeds" "$exp rotation-cifar10 SEEDS= -n"
    exits 2 "a failure" "$exp table BUDGET=3steps SYSTEMS=rotation TRAIN='--lr -1'"
    exits 2 "a failure in the middle" "head -c 100000 train.ssl >short.ssl; $exp table BUDGET=90steps SYSTEMS=rotation NAME=broken DATA='short.ssl test.ssl'"
    ok "leaves nothing that looks whole" "! ls results/broken*"

    # Killed, then given again: the same bytes as without.
    slow="$exp rotation-cifar10 SYSTEMS=rotation EPOCHS=30 TRAIN='--checkpoint-every 5 -j 1'"
    ok "interrupted" "setsid sh -c \"$slow\" >/dev/null 2>&1 & p=\$!; while kill -0 \$p && ! ls out/*.checkpoint; do sleep 0.1; done; kill -s KILL -- -\$p"
    ok "continued" "$slow"
    ok "as if unbroken" "m=\$(cd out && ls -t rotation.1.*.model | head -n 1); $slow OUT=whole RESULTS=whole/results && cmp out/\$m whole/\$m"

    ok "ablation" "$exp ablate TASK=simclr BUDGET=2steps AUGMENTS='none; crop;crop flip jitter ' >ablation.md"
    for row in none crop "crop flip jitter" ; do
        prints "^\| train \| simclr: $row \|" "ablation: $row" "cat ablation.md"
    done
    ok "of another stage" "$exp ablate TASK=rotation BUDGET=2steps PRETEXTS='rotate;rotate:angles=2' | grep -q 'rotation: rotate:angles=2 |'"
    ok "photographs" "$exp photographs SIZE=32 BATCH=16 BUDGET=1steps ENCODER=resnet10 | grep -q '| simclr |'"
    [ ! -f "$DATA/clothing-160.tar" ] || prints 'ssl-load -q [^ ]*/clothing-160.tar --size 96 --split train' "which are of clothing" "make -n -C $SRC/pipelines photographs OUT=$T/none RESULTS=$T/none"
    ok "one system against its baselines" "$exp jigsaw-cifar10 EPOCHS=1 | grep -q '| jigsaw |'"
    if [ "$real" != "$FASHION" ]; then
        ok "cats and dogs" "$exp cats-and-dogs IMAGES=40 EPOCHS=1 DATA='$real' LOAD='--limit 3000' >cats.md"
        is "13" "all sets" "grep -c '^| cifar10 | ' cats.md"
    else
        skip "cats and dogs" "no $DATA/cifar10-train.tar"
    fi
    is "18" "guards: all, and each of them off" "$exp guards-cifar10 -n | grep -c 'ssl-train.* --checkpoint'"
else
    skip "pipelines on real images" "no $DATA/cifar10-train.tar, and no $FASHION"
fi
end
