# The same bytes from one thread and from four, from a second run, and from a training run
# that was killed and resumed.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"
streams || { fail "making the streams"; end; exit 1; }

# steady NAME CMD: CMD, whose $J is the thread option, prints the same bytes each time.
steady() {
    for threads in 1 4 4 3; do
        J="-j $threads"
        run "$2"
        if [ "$got" != 0 ] || [ ! -s .out ]; then
            fail "$1, -j $threads" "exit $got" "$(cat .err)"
            return
        fi
        mv .out "out.$threads"
        [ $threads = 1 ] || same out.1 "out.$threads" "$1: -j $threads writes what -j 1 does"
    done
}
steady load 'ssl-load $J photos --size 8 --epochs 3 --shuffle'
steady "load --limit --balance" 'ssl-load $J photos --size 8 --limit 7 --balance'
steady augment 'ssl-augment $J crop:8,pad=2 flip jitter:0.4,0.4,0.4,0.1 blur <images.ssl'
steady "augment --views 2" 'ssl-augment $J --views 2 @simclr <images.ssl'
steady pretext 'ssl-pretext $J rotate <images.ssl'
steady embed 'ssl-embed $J -m tiny.model <images.ssl'
steady probe 'ssl-probe $J <embeddings.ssl'
steady "the whole pipe" 'ssl-load $J photos --size 8 --epochs 2 --shuffle | ssl-augment $J flip | ssl-pretext $J rotate'

# One seed at the head changes every stage; none changes nothing.
ok "seeds" "for s in 1 2; do ssl-load photos --size 8 --seed \$s | ssl-augment crop:8,pad=2 flip >seed.\$s; done"
run "cmp seed.1 seed.2"
[ "$got" = 1 ] && pass || fail "another seed gives other augmentations"

# Training: again, and killed with SIGKILL at several points and resumed each time.
ok "examples for training" "ssl-load photos --size 16 --split train --epochs 60 --shuffle | ssl-pretext rotate >many.ssl"
train='ssl-train -q --encoder convnet --width 8 --batch 8'
start=$(date +%s%N)
ok "an unbroken run" "$train -o whole.model <many.ssl"
took=$((($(date +%s%N) - start) / 1000000))
ok "the same again" "$train -o again.model <many.ssl"
same whole.model again.model "two training runs"
killed=0 tries=0
until [ -e resumed.model ] || [ $tries = 12 ]; do
    tries=$((tries + 1))
    # Each try gets a little longer, so that even a run that never reached its first checkpoint gets there.
    run "timeout -s KILL $(awk "BEGIN { print $took * (0.2 + 0.05 * $tries) / 1000 }") $train \
        --checkpoint state.ckpt --checkpoint-every 3 --resume -o resumed.model <many.ssl"
    if [ "$got" = 137 ]; then killed=$((killed + 1)); fi
done
[ $killed -ge 2 ] && pass || fail "the resumed run was killed $killed times in $tries, too few to show anything"
same whole.model resumed.model "killed $killed times and resumed, or unbroken"
ok "a checkpoint is a model" "ssl-embed -q -m state.ckpt <images.ssl | ssl-show --check -q"
end
