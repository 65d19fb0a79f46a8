# ssl-pretext: tasks over real images, the header it writes, threads, faults.
. "$(dirname "$0")/lib.sh"

# Two kinds of real images: grey and square, colour and of any shape.
if [ -d "$FASHION" ]; then
    ok "load grey images" 'ssl-load $FASHION --gray --split train --limit 300 >grey.ssl'
else
    skip "grey images" "no $FASHION"
fi
if [ -f "$DATA/cifar10-test.tar" ]; then
    ok "load small colour images" 'ssl-load $DATA/cifar10-test.tar --limit 300 >colour.ssl'
    ok "load photographs" 'ssl-load $DATA/clothing-160.tar --split val --limit 40 >photos.ssl'
else
    skip "colour images" "no $DATA"
fi

# ---- the table and the command line
prints '^  rotate +[a-z]' "--list names the tasks" 'ssl-pretext --list'
prints 'angles .*\(4\)' "--list shows defaults" 'ssl-pretext --list'
exits 2 "a task is needed" 'ssl-pretext'
exits 2 "one task only" 'ssl-pretext rotate labels'
exits 2 "an unknown task" 'ssl-pretext knit'
says "did you mean 'rotate'" "a misspelt task" 'ssl-pretext rotat'
says "may be 2\|4" "a value that is not offered" 'ssl-pretext rotate:angles=3'
says "no parameter 'angle'" "a misspelt parameter" 'ssl-pretext rotate:angle=4'
exits 2 "an unknown normalisation" 'ssl-pretext rotate --normalize nonsense'
exits 2 "no threads" 'ssl-pretext rotate -j 0'
ok "--dry-run opens nothing" 'ssl-pretext --dry-run rotate:angles=2 --keep -j 3 </dev/null'
exits 2 "an estimate keeps nothing" 'ssl-pretext --dry-run --estimate --keep colorize'
for words in colorize:lambda=9 rotate 'colorize --keep' 'colorize --normalize nonsense' 'colorize --assign x' knit; do
    is "2 0" "a refused estimate writes nothing: $words" "ssl-pretext --estimate $words </dev/null >est 2>/dev/null; echo \$? \$(wc -c <est)"
done

for s in grey colour; do
    [ -f $s.ssl ] || continue
    # ---- what comes out
    ok "rotate $s" "ssl-pretext rotate <$s.ssl >$s.rot"
    ok "$s examples are whole and as the header says" "ssl-show --check $s.rot"
    is 300 "one frame out for each in, $s" "ssl-show --check --json $s.rot | sed -n 's/^    \"samples\": \\([0-9]*\\),\$/\\1/p'"
    prints '^kind +examples' "the kind, $s" "ssl-show $s.rot"
    prints '^objective +name=classify task=rotate classes=4' "the objective, $s" "ssl-show $s.rot"
    prints 'input +\|u1 \[4,' "four inputs, $s" "ssl-show $s.rot"
    prints 'target +<i4 \[4\] +0 1 2 3$' "four targets, $s" "ssl-show $s.rot"
    prints '^history +\[1\] ssl-load ' "the history keeps what was before, $s" "ssl-show $s.rot"
    prints '^ +\[2\] ssl-pretext .*angles=4 keep=false .*task=rotate' "the history remembers defaults, $s" "ssl-show $s.rot"
    ok "labels $s" "ssl-pretext labels <$s.ssl >$s.lab"
    prints '^objective +name=classify task=labels classes=10' "labels' objective, $s" "ssl-show $s.lab"
    ok "labels $s are whole" "ssl-show --check $s.lab"

    # ---- threads, repetition
    for j in 1 2 4; do
        ok "-j $j, $s" "ssl-pretext rotate -j $j <$s.ssl >$s.$j"
        same $s.rot $s.$j "-j $j gives the same bytes, $s"
    done

    # ---- --keep
    ok "--keep $s" "ssl-pretext rotate --keep <$s.ssl >$s.keep"
    prints 'image +\|u1' "--keep keeps the image, $s" "ssl-show $s.keep"
    exits 1 "no image without --keep, $s" "ssl-show $s.rot | grep -q 'image  *|u1'"
    ok "two angles $s" "ssl-pretext rotate:2 <$s.ssl >$s.two"
    prints 'target +<i4 \[2\] +0 1$' "two targets, $s" "ssl-show $s.two"

    # ---- the input transform
    prints '^transform .*normalize=image$' "--normalize, $s" "ssl-pretext rotate --normalize image <$s.ssl | ssl-show"
    prints '^seed +7$' "--seed, $s" "ssl-pretext rotate --seed 7 <$s.ssl | ssl-show"
    exits 3 "examples are not taken, $s" "ssl-pretext rotate <$s.rot"
    says 'stream of examples; expected images or views' "both kinds are named, $s" "ssl-pretext rotate <$s.rot"

    # ---- faults
    exits 3 "a truncated stream, $s" "head -c 20000 $s.ssl | ssl-pretext rotate"
    says 'stream truncated after [0-9]+ samples' "says where it was truncated, $s" "head -c 20000 $s.ssl | ssl-pretext rotate"
    is 1 "one message for three stages, $s" \
        "head -c 20000 $s.ssl | { ssl-pretext rotate | ssl-show --through 2>&1 >/dev/null | grep -c 'truncated'; } 2>&1 | grep -c truncated"
    exits 3 "three stages stop, $s" "head -c 20000 $s.ssl | ssl-pretext rotate | ssl-show >/dev/null"
    exits 1 "a full disk, $s" "ssl-pretext rotate <$s.ssl >/dev/full"
    says 'No space left on device' "a full disk is named, $s" "ssl-pretext rotate <$s.ssl >/dev/full"
    ok "a reader that stops, $s" "{ ssl-pretext rotate <$s.ssl; echo \$? >$s.status; } | head -c 1000 >/dev/null; [ \$(cat $s.status) = 0 ]"
done
[ ! -f grey.ssl ] || prints '^transform +space=gray normalize=gray' "grey images" 'ssl-show grey.rot'
[ ! -f colour.ssl ] || prints '^transform +space=rgb normalize=imagenet' "colour images" 'ssl-show colour.rot'

exits 3 "an empty input" ': | ssl-pretext rotate'
exits 3 "text is not a stream" 'echo hello | ssl-pretext rotate'

if [ -f photos.ssl ]; then
    exits 3 "a quarter turn needs a square" 'ssl-pretext rotate <photos.ssl'
    says "^ssl-pretext: sample 0 '.*': rotate: the image is [0-9]+x[0-9]+ pixels" "the sample and its size are named" \
        'ssl-pretext rotate <photos.ssl'
    ok "half a turn takes any shape" 'ssl-pretext rotate:2 <photos.ssl | ssl-show --check'
    ok "labels take any shape" 'ssl-pretext labels <photos.ssl | ssl-show --check'
fi

# ---- views: each is rotated
if [ -f colour.ssl ]; then
    ok "two views" 'ssl-augment --views 2 flip <colour.ssl | ssl-pretext rotate >views.rot'
    prints 'target +<i4 \[8\] +0 1 2 3 0 1 2 3$' "the rotations of one view, then of the next" 'ssl-show views.rot'
    ok "views are as the header says" 'ssl-show --check views.rot'
    ok "labels of views" 'ssl-augment --views 2 flip <colour.ssl | ssl-pretext labels | ssl-show --check'
fi

# ---- an image back
if [ -f colour.ssl ]; then
    ok "small colour images of 32 pixels" 'ssl-load colour.ssl --size 32 >c32.ssl'
    for task in colorize colorize:target=ab inpaint inpaint:regions inpaint:blocks superres superres:2,enlarge=1; do
        ok "$task" "ssl-pretext $task <c32.ssl >back.ssl"
        ok "$task is as the header says" "ssl-show --check back.ssl"
        ok "$task, -j 3" "ssl-pretext $task -j 3 <c32.ssl >back.3"
        same back.ssl back.3 "$task: -j 3 gives the same bytes"
        ok "$task can be looked at" "ssl-show -n 4 -o back.png <back.ssl"
        ok "$task of two views" "ssl-augment --views 2 flip <c32.ssl | ssl-pretext $task | ssl-show --check"
        ok "$task trains" "ssl-train -q --encoder convnet --width 8 --set width=4 --batch 32 --steps 2 -o back.model <back.ssl"
        ok "$task: the images are embedded" "ssl-embed -q -m back.model <c32.ssl | ssl-show --check"
        ok "$task: and the answer" "ssl-embed -q -m back.model --layer answer <c32.ssl | ssl-show --check"
    done
    prints 'height=32 .*width=32' "superres: at the old size" "ssl-pretext superres <c32.ssl |
        ssl-train -q --encoder convnet --set width=4 --batch 32 --steps 1 | { cat >s.model; ssl-embed -q -m s.model <c32.ssl; } |
        ssl-show -n 0 | tr -s '\\n ' ' '"
    ok "a bottleneck, an earlier map, absolute differences" "ssl-pretext inpaint <c32.ssl |
        ssl-train -q --encoder convnet --set bottleneck=8 --set skip=1 --set order=1 --batch 32 --steps 1 -o b.model"
    prints 'order=1' "are in the model" "ssl-show b.model"
    ok "small images of another size" 'ssl-load colour.ssl --size 36 >c36.ssl'
    ok "which is no multiple of the encoder's last map" "ssl-pretext inpaint <c36.ssl |
        ssl-train -q --encoder resnet10 --width 4 --set width=4 --batch 32 --steps 1 -o u.model"
    prints '^answer.3 x 36 x 36$' "and the answer has its size" "ssl-embed -m u.model --list-layers"
    says 'hides nothing' "a hole that is all overlap" "ssl-pretext inpaint:overlap=8 <c32.ssl"
    ok "--estimate" "ssl-pretext colorize --estimate <c32.ssl >colours.tsv"
    is 314 "a line for each colour" "wc -l <colours.tsv"
    ok "weights from a file" "ssl-pretext colorize:weights=colours.tsv <c32.ssl >w.ssl"
    prints 'weights_digest=[0-9a-f]{64}' "the file's content is in the history" "ssl-show -n 0 w.ssl"
    ok "other weights" "ssl-pretext colorize:weights=none <c32.ssl >n.ssl"
    exits 1 "are others" "cmp -s w.ssl n.ssl"
    exits 1 "a file of weights that is not there" "ssl-pretext colorize:weights=nowhere <c32.ssl"
    prints '^objective .* channels=2 .* spread=0\.1' "regression measures differences in units of what is usual" "ssl-pretext colorize:target=ab <c32.ssl | ssl-show"
    exits 2 "weights of regression" "ssl-pretext colorize:target=ab,weights=colours.tsv <c32.ssl"
    head -n 100 colours.tsv >few.tsv
    says "weights 'few.tsv': it has 99 colours of 313" "half a file of weights" "ssl-pretext colorize:weights=few.tsv <c32.ssl"
    exits 2 "nothing to estimate" "ssl-pretext rotate --estimate <c32.ssl"
    exits 1 "an estimate for a full disk" "ssl-pretext colorize --estimate <c32.ssl >/dev/full"
    says 'no whole number of 4x4 squares' "colours of odd sizes" "ssl-load colour.ssl --size 30 | ssl-pretext colorize"
    says 'cannot be made 4 times smaller' "smaller images of odd sizes" "ssl-load colour.ssl --size 30 | ssl-pretext superres"
    says 'nothing was learnt up to step 1: the gradient is 0' "colours, none of which count" \
        "ssl-pretext colorize:gray=200 <c32.ssl | ssl-train --encoder convnet --width 8 --batch 32 --steps 1 -o n.model"
    [ ! -f grey.ssl ] || says 'no colours to tell' "colours of grey images" "ssl-pretext colorize <grey.ssl"
    [ ! -f grey.ssl ] || ok "grey images are filled in" "ssl-pretext inpaint <grey.ssl | ssl-show --check"
fi

# ---- patches
if [ -f colour.ssl ]; then
    says "embedded at a patch's size, 10 x 10; give --size N" "patches of images that vary in size" "ssl-pretext jigsaw:4,patch=10 <photos.ssl |
        ssl-train -q --encoder convnet --width 8 --set hidden=16 --batch 32 --steps 1 -o v.model; ssl-embed -m v.model <c32.ssl >v.emb"
    ok "small colour images of one size" 'ssl-load colour.ssl --size 48 >c48.ssl'
    for task in jigsaw:20 context:pairs=3; do
        ok "$task" "ssl-pretext $task <c48.ssl >patches.ssl"
        ok "$task is as the header says" "ssl-show --check patches.ssl"
        for j in 1 3; do
            ok "$task, -j $j" "ssl-pretext $task -j $j <c48.ssl >patches.$j"
            same patches.ssl patches.$j "$task: -j $j gives the same bytes"
        done
        ok "$task, another seed" "ssl-pretext $task --seed 1 <c48.ssl >other.ssl"
        exits 1 "$task: another seed gives other patches" "cmp -s patches.ssl other.ssl"
        ok "$task of two views" "ssl-augment --views 2 flip <c48.ssl | ssl-pretext $task | ssl-show --check"
        ok "$task trains" "ssl-train -q --encoder convnet --width 8 --set hidden=16 --batch 32 --steps 2 -o patches.model <patches.ssl"
        ok "$task: whole images are embedded" "ssl-embed -q -m patches.model <c48.ssl >whole.emb"
        prints 'height=48 .*width=48' "$task: at their own size" "ssl-show -n 0 whole.emb | tr -s '\n ' ' '"
        ok "$task: and at another" "ssl-embed -q -m patches.model --size 32 <c48.ssl | ssl-show --check"
        says "sees several inputs" "$task: the head is of no image" "ssl-embed -m patches.model --layer head <c48.ssl"
    done
    prints 'places=\[20 lists\]' "the permutations are in the model" "ssl-pretext jigsaw:20 <c48.ssl |
        ssl-train -q --encoder convnet --width 8 --batch 32 --steps 1 | ssl-show"
    prints 'target +<i4 \[3\]' "three pairs have three targets" 'ssl-pretext context:pairs=3 <c48.ssl | ssl-show'
    exits 2 "too many permutations" 'ssl-pretext jigsaw:10001'
    says 'are below the 8' "patches too small" 'ssl-load colour.ssl --size 20 | ssl-pretext jigsaw'
fi
if [ -f photos.ssl ]; then
    says 'images vary in size' "photographs of any size need a patch size" 'ssl-pretext jigsaw <photos.ssl'
    ok "which can be given" 'ssl-pretext context:patch=24 <photos.ssl | ssl-show --check'
    says "^ssl-pretext: sample [0-9]+ '.*': jigsaw: nine patches of 64 pixels need" "an image that is too small is named" \
        'ssl-pretext jigsaw:patch=64 <photos.ssl'
fi

# ---- unlabelled images
if [ -f photos.ssl ]; then
    mkdir flat
    (cd flat && tar xf "$DATA/clothing-160.tar" --wildcards --strip-components=2 'val/shirt/*')
    exits 3 "labels without classes" 'ssl-load flat | ssl-pretext labels'
    says 'labels: the header lists no classes' "labels without classes, the message" 'ssl-load flat | ssl-pretext labels'
    ok "rotate needs no labels" 'ssl-load flat --size 32 | ssl-pretext rotate | ssl-show --check'
fi
end
