# ssl-show: text, counts, sheets, and copies of streams, sound and broken.
. "$(dirname "$0")/lib.sh"

if [ ! -d "$FASHION" ]; then
    skip "ssl-show" "no $FASHION"
    end
    exit
fi
ok "images" 'ssl-load $FASHION --gray --split train --limit 200 >images.ssl'
ok "views" 'ssl-augment --views 2 flip <images.ssl >views.ssl'
ok "examples" 'ssl-pretext rotate <images.ssl >examples.ssl'

# width FILE, height FILE: of a PNG
width() { od -An -tu1 -j16 -N4 "$1" | awk '{print (($1 * 256 + $2) * 256 + $3) * 256 + $4}'; }
height() { od -An -tu1 -j20 -N4 "$1" | awk '{print (($1 * 256 + $2) * 256 + $3) * 256 + $4}'; }
is_png() { [ "$(od -An -tx1 -N8 "$1" | tr -d ' ')" = 89504e470d0a1a0a ]; }

# ---- text
prints '^kind +images$' "the kind" 'ssl-show <images.ssl'
prints '^classes +10  0, 1, 2, ' "the classes" 'ssl-show images.ssl'
prints '^history +\[1\] ssl-load ' "the history" 'ssl-show images.ssl'
prints '^sample 0  key ' "the first sample" 'ssl-show images.ssl'
prints '^    image +\|u1 \[28,28,1\] +min 0  max 255  mean ' "a tensor" 'ssl-show images.ssl'
prints '^200 samples, 0 skipped, digest [0-9a-f]{64}$' "the end" 'ssl-show images.ssl'
is 5 "five samples" "ssl-show images.ssl | grep -c ^sample"
is 3 "--records 3" "ssl-show --records 3 images.ssl | grep -c ^sample"
is 0 "--records 0" "ssl-show -n 0 images.ssl | grep -c ^sample || true"
is 200 "-n more than there are" "ssl-show -n 1000 images.ssl | grep -c ^sample"
prints '==> views.ssl <==' "several files" 'ssl-show images.ssl views.ssl'
prints '^  "kind": "examples",$' "--json" 'ssl-show --json examples.ssl'
ok "--json is JSON" "ssl-show --json examples.ssl | /usr/bin/python3 -c 'import json, sys; assert json.load(sys.stdin)[\"objective\"][\"classes\"] == 4'"
ok "--stop leaves the rest" 'head -c 60000 images.ssl | ssl-show --stop -n 2'

# ---- --check
prints '^samples +200$' "--check counts" 'ssl-show --check images.ssl'
prints '^train  9 +[0-9]+$' "--check counts classes" 'ssl-show --check images.ssl'
is 200 "the counts add up" "ssl-show --check images.ssl | awk '/^train/ {n += \$NF} END {print n}'"
ok "--check --json" "ssl-show --check --json images.ssl | /usr/bin/python3 -c 'import json, sys; c = json.load(sys.stdin)[\"check\"]; assert sum(r[\"samples\"] for r in c[\"counts\"]) == c[\"samples\"] == 200'"

# ---- --through
for s in images views examples; do
    ok "--through $s" "ssl-show --through <$s.ssl >copy 2>text"
    same $s.ssl copy "--through copies $s byte for byte"
    prints '^kind ' "the text goes to standard error" 'cat text'
done
for n in 1 9 100 5000 60000; do
    head -c $n images.ssl >part
    exits 3 "--through, cut at $n" 'ssl-show --through <part >copy'
    same part copy "--through still copies all $n bytes"
done
exits 3 "--through of what is no stream" 'seq 100000 | ssl-show --through >copy'
ok "it is copied all the same" 'seq 100000 | cmp - copy'
exits 1 "--through, a full disk" 'ssl-show --through <images.ssl >/dev/full'
ok "--through, a reader that stops" '{ ssl-show --through <images.ssl; echo $? >status; } 2>/dev/null | head -c 1000 >/dev/null; [ $(cat status) = 0 ]'
ok "text, a reader that stops" '{ ssl-show -n 200 images.ssl; echo $? >status; } | head -n 1 >/dev/null; [ $(cat status) = 0 ]'
if command -v bash >/dev/null; then
    cat >aside.bash <<'END'
set -o pipefail
ssl-load "$FASHION" --gray --split train --limit 2000 | tee >(ssl-show >seen) | ssl-pretext rotate >copy
rc=$?
wait
exit $rc
END
    ok "a look from the side with tee" 'bash aside.bash && ssl-show --check copy && i=0 && until grep -q ^2,000 seen || [ $i = 50 ]; do sleep 0.1; i=$((i + 1)); done; grep -q "^2,000 samples" seen'
else
    skip "tee >(ssl-show)" "no bash"
fi

# ---- sheets
for s in images views examples; do
    ok "a sheet of $s" "ssl-show -o $s.png <$s.ssl"
    ok "it is a PNG" "is_png $s.png && [ \$(width $s.png) -gt 600 ] && [ \$(height $s.png) -gt 400 ]"
    is '' "nothing else is printed" "ssl-show -o x.png $s.ssl"
done
ok "the same sheet again" 'ssl-show -o again.png <examples.ssl && cmp again.png examples.png'
ok "one card" 'ssl-show -n 1 -o one.png images.ssl && [ $(width one.png) -lt 300 ]'
ok "more cards than samples" 'ssl-show -n 4000 -o all.png images.ssl && is_png all.png'
ok "one field" 'ssl-pretext rotate --keep <images.ssl | ssl-show --field image -o field.png && is_png field.png'
exits 3 "a field that is not there" 'ssl-show --field nonsense -o x.png images.ssl'
exits 3 "a field that is no image" 'ssl-show --field target -o x.png examples.ssl'
ok "-o - is standard output" 'ssl-show -o - images.ssl >dash.png && is_png dash.png'
ok "-o /dev/stdout too" 'ssl-show -o /dev/stdout images.ssl | cmp - dash.png'
ok "through and a sheet" 'ssl-show --through -o t.png <examples.ssl | cmp - examples.ssl && cmp t.png examples.png'
ok "a reader that stops early gets a sheet of what came" \
    'ssl-show --through -n 200 -o early.png <examples.ssl | head -c 200000 >/dev/null && is_png early.png'
exits 1 "a sheet on a full disk" 'ssl-show -o /dev/full images.ssl'
exits 1 "a sheet in a folder that is not there" 'ssl-show -o nowhere/x.png images.ssl'
ok "without fonts there is a sheet" 'FONTCONFIG_FILE=/dev/null HOME=/nonexistent ssl-show -o nofonts.png images.ssl && is_png nofonts.png'

for task in jigsaw:10,patch=8 context:pairs=2 inpaint superres; do
    ok "a sheet of $task" "ssl-pretext $task <images.ssl | ssl-show -n 5 -o task.png && is_png task.png"
    ok "the fields of $task as they are" "ssl-pretext $task <images.ssl | ssl-show -n 5 --field input -o raw.png && is_png raw.png"
    exits 1 "are another sheet" "cmp -s task.png raw.png"
done

ok "a puzzle" 'ssl-pretext jigsaw:10,patch=8 <images.ssl | ssl-show -n 1 -o task.png'
ok "beside the image that was kept" 'ssl-pretext --keep jigsaw:10,patch=8 <images.ssl | ssl-show -n 1 -o keep.png'
ok "which takes its room" '[ $(width keep.png) -gt $(width task.png) ]'
ok "more pairs than fit" 'ssl-pretext context:pairs=64 <images.ssl >pairs.ssl'
says '^ssl-show: a sample has 128 pictures; the sheet shows the first 8$' "are said to be left out" 'ssl-show -n 5 -o x.png pairs.ssl'
is '' "unless nobody wants to know" 'ssl-show -q -n 5 -o x.png pairs.ssl 2>&1'
is '' "no word where all fit" 'ssl-pretext context:pairs=4 <images.ssl | ssl-show -n 5 -o x.png 2>&1'
says 'a sample has 100 pictures; the sheet shows the first 64$' "views too" 'ssl-augment --views 100 flip <images.ssl | ssl-show -n 2 -o x.png'

# ---- an old sheet stays when the stream fails before a new one is drawn
echo old >old.png
exits 3 "a stream that ends too soon" 'head -c 5000 images.ssl | ssl-show -o old.png'
is old "the old sheet is still there" 'cat old.png'

# ---- bad streams
exits 3 "an empty input" ': | ssl-show'
exits 3 "no stream" 'echo hello | ssl-show'
exits 3 "bytes after the trailer" '{ cat images.ssl; echo; } | ssl-show'
says 'truncated after [0-9]+ samples' "where it was cut" 'head -c 60000 images.ssl | ssl-show'
size=$(wc -c <images.ssl)
for at in 20 300 $((size / 2)) $((size - 40)); do
    { head -c "$at" images.ssl; printf '\377'; tail -c +$((at + 2)) images.ssl; } >flipped
    cmp -s flipped images.ssl || exits 3 "a wrong byte at $at" 'ssl-show --check flipped'
done
exits 1 "text on a full disk" 'ssl-show images.ssl >/dev/full'
exits 1 "no such file" 'ssl-show missing.ssl'
says "^ssl-show: cannot open 'missing.ssl': No such file" "the message" 'ssl-show missing.ssl'

# ---- an upstream that fails
says 'square' "the first tool speaks" 'ssl-augment resize:20x28 <images.ssl | ssl-pretext rotate | ssl-show'
exits 3 "the last one stops" 'ssl-augment resize:20x28 <images.ssl | ssl-pretext rotate | ssl-show'
is 1 "and only once" '{ ssl-augment resize:20x28 <images.ssl | ssl-pretext rotate | ssl-show >/dev/null; } 2>&1 | grep -c square'
exits 3 "a stream saved after a failure" 'ssl-augment resize:20x28 <images.ssl | ssl-pretext rotate >failed.ssl; ssl-show failed.ssl'
says "ends with a failure: ssl-pretext: .*square" "it says what failed then" 'ssl-show failed.ssl'

# ---- usage
exits 2 "--field without -o" 'ssl-show --field image images.ssl'
exits 2 "--check with --stop" 'ssl-show --check --stop images.ssl'
exits 2 "two files and one sheet" 'ssl-show -o x.png images.ssl views.ssl'
exits 2 "a sheet and the stream on one descriptor" 'ssl-show --through -o - <images.ssl'
exits 2 "a sheet by another format's name" 'ssl-show -o x.jpg images.ssl'
exits 2 "a sheet of nothing" 'ssl-show -n 0 -o x.png images.ssl'
exits 2 "a sheet of too much" 'ssl-show -n 1M -o x.png images.ssl'
end
