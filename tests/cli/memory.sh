# Out of memory: whichever allocation fails (tests/cli/failmalloc.c), a program ends with a message
# and without output that looks whole; or it did not need that memory and the output is the same.
. "$(dirname "$0")/lib.sh"
case ${FLAVOUR:-release} in asan | tsan | ubsan)
    skip memory 'a sanitizer brings its own malloc'
    end
    exit
esac
if ! ${CC:-cc} -shared -fPIC -O2 -o failmalloc.so "$SRC/tests/cli/failmalloc.c" 2>cc.err; then
    skip memory "cannot build the shim: $(head -n 1 cc.err)"
    end
    exit
fi

# with N: run $CMD with the Nth allocation failing. FAILMALLOC_IN: those that msgpack-c makes for us count too.
with() {
    eval "FAILMALLOC=$1 FAILMALLOC_IN=msgpack FAILMALLOC_COUNT=$T/count LD_PRELOAD=$T/failmalloc.so $CMD" <"$IN" >got 2>said
}

# sweep NAME COMMAND: fail some allocations of COMMAND, which reads $IN (all of them with SWEEP=all), and
# after each of them none, or all that follow. (What ssl-show copies may be whole when its own text fails.)
sweep() {
    CMD=$2
    with 0 || { fail "$1" "fails without help: $(cat said)"; return; }
    mv got whole
    total=$(cat count) wrong=
    step=$((total / 30 + 1))
    [ "${SWEEP:-}" != all ] || step=1
    i=1
    while [ "$i" -le "$total" ] && [ -z "$wrong" ]; do
        for n in "$i" "$i+"; do
            with "$n"
            status=$?
            if [ $status = 0 ]; then
                cmp -s got whole || wrong="allocation $n: status 0, and another output"
            elif [ $status != 1 ]; then
                wrong="allocation $n: status $status: $(head -n 3 said)"
            elif ! grep -q 'out of memory$\|: Cannot allocate memory$' said; then
                wrong="allocation $n: $(head -n 3 said)"
            elif [ "$1" != ssl-show ] && ssl-show --check <got >/dev/null 2>&1; then
                wrong="allocation $n: status 1, and yet a whole stream"
            fi
        done
        i=$((i + step))
    done
    if [ -z "$wrong" ] && [ "$total" -gt 20 ]; then pass; else fail "$1" "${wrong:-only $total allocations were counted}"; fi
}

if [ -d "$FASHION" ]; then
    IN=five.ssl
    ok 'five images' "ssl-load '$FASHION' --gray --limit 5 >five.ssl"
    sweep 'ssl-augment -j1' 'ssl-augment -j1 crop:28,pad=3 flip'
    sweep 'ssl-augment -j3' 'ssl-augment -j3 --views 2 crop:20 flip'
    sweep ssl-pretext 'ssl-pretext rotate'
    sweep ssl-show 'ssl-show --through'
    if ssl-load "$FASHION" --gray --limit 100 --balance | ssl-embed -m pixels >pixels.ssl 2>err; then
        IN=pixels.ssl
        sweep ssl-probe 'ssl-probe -q -j2 --json --confusion --labels-per-class 2,all -k 3 --draws 2 --folds 2 --l2 0.1'
        sweep ssl-plot 'ssl-plot map -q -j2 --iterations 4 --to tsv'
    fi
else
    skip memory "$FASHION is not installed"
fi
mkdir -p photos/train/cat photos/test/dog
for f in baseline.jpg orientation-6.jpg alpha.png; do
    cp "$SRC/tests/files/good-$f" photos/train/cat
    cp "$SRC/tests/files/good-$f" photos/test/dog
done
tar cf photos.tar photos
IN=photos.tar
sweep 'ssl-load, a folder' 'ssl-load -j1 photos --on-error=skip --size 8 --shuffle --epochs 2 --limit 4 --balance'
sweep 'ssl-load, a tar' 'ssl-load -j1 photos.tar --on-error=skip'
sweep 'ssl-load, a pipe' 'ssl-load -j1 - --on-error=skip --shuffle --shuffle-buffer 3'
ssl-load photos.tar --size 8 >photos.ssl
sweep 'ssl-load, streams' 'ssl-load -j2 photos.ssl photos.ssl'
ok 'examples and a model' "ssl-pretext rotate <photos.ssl >examples.ssl &&
    ssl-train -q --encoder convnet --width 4 --batch 2 -o tiny.model <examples.ssl"
IN=examples.ssl
sweep ssl-train 'ssl-train -q -j2 --encoder convnet --width 4 --batch 2 --init tiny.model'
IN=photos.ssl
sweep ssl-embed 'ssl-embed -q -j2 -m tiny.model'
end
