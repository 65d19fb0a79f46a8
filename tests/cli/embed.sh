# ssl-embed: layers, sizes, pixels, and answers at once.
. "$(dirname "$0")/lib.sh"

ok "a model" "ssl-load $FASHION --gray --split train --limit 200 --shuffle | ssl-pretext rotate |
    ssl-train --encoder resnet10 --width 4 --batch 32 -o m"
ok "images" "ssl-load $FASHION --gray --limit 150 >im.ssl"

ok "embeddings" "ssl-embed -m m <im.ssl >e.ssl"
prints '^kind +embeddings' "their kind" "ssl-show <e.ssl"
prints 'embedding:<f4\[32\]' "their size" "ssl-show <e.ssl"
prints '^samples +150$' "all of them" "ssl-show --check <e.ssl"
prints '^sample 0 +key t[a-z0-9/]+ +index 0 +pos 0 +epoch 0 +split (train|test) +class [0-9] +label [0-9]' "fields pass through" "ssl-show <e.ssl"
exits 1 "the images do not" "ssl-show <e.ssl | grep -q 'image:'"
prints 'ssl-train' "the model's history is in theirs" "ssl-show <e.ssl"
for j in 1 2; do
    ok "-j $j" "ssl-embed -j $j -m m <im.ssl >j$j.ssl"
    same e.ssl j$j.ssl "-j $j"
done
ok "-b 7" "ssl-embed -b 7 -m m <im.ssl >b.ssl"
same e.ssl b.ssl "the batch size changes nothing"

# Layers.
is "stem layer1 layer2 layer3 layer4 embedding head" "the layers" "ssl-embed -m m --list-layers | cut -f 1 | paste -s -d ' '"
prints '^layer2	8 x 14 x 14$' "their shapes" "ssl-embed -m m --list-layers"
layer() {
    ok "layer $1 ${3:-}" "ssl-embed -m m --layer $1 ${3:-} <im.ssl >l.ssl"
    prints "embedding:<f4\[$2\]" "layer $1 ${3:-}: its size" "ssl-show <l.ssl"
}
layer embedding 32
is "$(ssl-show <e.ssl | grep ' embedding ')" "the default, by its name" "ssl-show <l.ssl | grep ' embedding '"
layer layer2 8
layer layer2 1568 --flatten
layer head 4
exits 2 "no such layer" "ssl-embed -m m --layer layer9 <im.ssl"
says "no layer 'layer9'; did you mean 'layer1'" "a near one is named" "ssl-embed -m m --layer layer9 <im.ssl"

# What is listed can be read: not the head of a puzzle, nor an answer in a size that has none.
ok "a model of puzzles" "ssl-load $FASHION --gray --limit 20 --size 48 | ssl-pretext jigsaw:10 |
    ssl-train -q --encoder convnet --width 4 --set hidden=8 --batch 10 -o j.model"
ok "one of answers" "ssl-load $FASHION --gray --limit 20 --size 32 | ssl-pretext inpaint |
    ssl-train -q --encoder convnet --width 4 --set width=4 --batch 10 -o a.model"
ok "and one of colours" "ssl-load $FASHION --limit 20 --size 32 | ssl-pretext colorize:gray=0 |
    ssl-train -q --encoder convnet --width 4 --set width=4 --batch 10 -o c.model"
for list in "j.model" "a.model" "a.model --size 30" "c.model" "c.model --size 30"; do
    ok "all layers that are listed, $list" "ssl-embed -q -m $list --list-layers | cut -f 1 >names && grep -q layer2 names &&
        ssl-embed -q -m $list --layer \$(paste -s -d , names) <im.ssl | ssl-show --check"
done
exits 1 "no head of a puzzle" "ssl-embed -m j.model --list-layers | grep head"
says "sees several inputs" "which is refused" "ssl-embed -m j.model --layer head <im.ssl"
exits 2 "nor is it suggested" "ssl-embed -m j.model --layer heed <im.ssl"
says "no layer 'heed'; --list-layers names them" "by name" "ssl-embed -m j.model --layer heed <im.ssl"
prints '^answer' "an answer" "ssl-embed -m a.model --list-layers"
prints '^answer.1 x 30 x 30$' "in another size too" "ssl-embed -m a.model --list-layers --size 30"
says "^ssl-embed: the encoder's layers alone: .*30 x 30 is no whole size" "but not one of a quarter of 30 pixels" "ssl-embed -m c.model --list-layers --size 30"
exits 1 "so its answer is not listed" "ssl-embed -q -m c.model --list-layers --size 30 | grep answer"
says "no layer 'layr2'; did you mean 'layer2'" "a near one is named" "ssl-embed -m c.model --size 30 --layer layr2 <im.ssl"
says "30 x 30 is no whole size" "what is in the way of an answer" "ssl-embed -m c.model --size 30 --layer answer <im.ssl"

# Sizes: the model's own untouched; others by the short side, cropped at the centre.
ok "larger images" "ssl-load $FASHION --gray --limit 5 --size 56 | ssl-embed -m m | ssl-show --check"
ok "a tall image" "mkdir -p d && { printf 'P5\n28 84\n255\n'; head -c 784 /dev/zero; head -c 784 /dev/zero | tr '\0' 'z'; head -c 784 /dev/zero; } >d/a.pgm"
ok "its middle" "mkdir -p c && { printf 'P5\n28 28\n255\n'; head -c 784 /dev/zero | tr '\0' 'z'; } >c/a.pgm"
is "$(ssl-load c --gray | ssl-embed -m m | ssl-show | grep ' embedding ')" "the centre is what counts" \
    "ssl-load d --gray | ssl-embed -m m | ssl-show | grep ' embedding '"
is "$(ssl-load c | ssl-embed -m m | ssl-show | grep ' embedding ')" "a grey model takes colour" \
    "ssl-load c --gray | ssl-embed -m m | ssl-show | grep ' embedding '"

# Pixels.
ok "pixels" "ssl-embed -m pixels <im.ssl >p.ssl"
prints 'embedding:<f4\[784\]' "all of them" "ssl-show <p.ssl"
if [ -e "$DATA/clothing-160.tar" ]; then
    ok "images of many sizes and colours" "ssl-load $DATA/clothing-160.tar --limit 5 | ssl-embed -m m | ssl-show --check"
    ok "pixels of many sizes, with --size" "ssl-load $DATA/clothing-160.tar --limit 5 | ssl-embed -m pixels --size 16 >p.ssl"
    prints 'embedding:<f4\[768\]' "of that size" "ssl-show <p.ssl"
    exits 3 "pixels of many sizes" "ssl-load $DATA/clothing-160.tar --limit 5 | ssl-embed -m pixels"
    says 'the images vary in size; give --size N' "what to do is said" "ssl-load $DATA/clothing-160.tar --limit 5 | ssl-embed -m pixels"
else
    skip "images of many sizes" "no $DATA/clothing-160.tar"
fi

# At once when input pauses: the source gives its second half only when the first has been
# answered; a minute without an answer is a failure.
half=$(($(wc -c <im.ssl) / 2))
answered() { [ "$(wc -c <slow.ssl)" -gt $(($(wc -c <e.ssl) / 3)) ]; }
ok "an answer before the input goes on" '{ head -c $half im.ssl; i=0; until answered || [ $i = 600 ]; do sleep 0.1; i=$((i + 1)); done
    answered && echo yes >answer; tail -c +$((half + 1)) im.ssl; } | ssl-embed -m m >slow.ssl && [ -e answer ]'
same e.ssl slow.ssl "and the whole is the same"

# The command line.
for bad in '' '-m pixels --layer stem' '-m pixels --list-layers'; do
    exits 2 "ssl-embed $bad" "ssl-embed $bad <im.ssl"
done

end
