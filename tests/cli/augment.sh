# ssl-augment: operands, what comes out, randomness, extreme images.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"

photographs photos
ok "some photographs" 'ssl-load photos >images.ssl && ssl-load photos --gray >gray.ssl'
# Streams without their header, whose history names the command: what the pixels are.
digest() { ssl-show --check --json "$1" | sed -n 's/.*"digest": "\([0-9a-f]*\)".*/\1/p'; }
alike() { if [ -n "$(digest "$1")" ] && [ "$(digest "$1")" = "$(digest "$2")" ]; then pass; else fail "$3" "the samples of $1 and $2 differ"; fi; }
unlike() { if [ -n "$(digest "$1")" ] && [ "$(digest "$1")" != "$(digest "$2")" ]; then pass; else fail "$3" "the samples of $1 and $2 are the same"; fi; }

# ---- the command line
for op in crop centercrop resize flip vflip rotate affine perspective randaugment jitter gray blur sharpness solarize autocontrast equalize invert posterize erase; do
    prints "^  $op +[A-Za-z]" "--list names $op" 'ssl-augment --list'
done
prints '^  @simclr:224' "--list names presets" 'ssl-augment --list'
prints 'crop:32,scale=0.08-1 flip jitter:0.4,0.4,0.4,0.1,p=0.8 gray:p=0.2' "--list expands them" 'ssl-augment --list'
exits 2 "no operation" 'ssl-augment <images.ssl'
says "unknown operation 'cropp'; did you mean 'crop'\?" "a misspelt operation" 'ssl-augment cropp:32'
says "unknown operation 'swirl'; --list names them" "an unknown operation" 'ssl-augment swirl'
says "unknown preset '@simcrl'; did you mean '@simclr'\?" "a misspelt preset" 'ssl-augment @simcrl'
says "'crop': size is missing" "a missing value" 'ssl-augment crop'
says "'blur:kernal=3': unknown parameter 'kernal'; it takes kernel, sigma and p" "a misspelt parameter" 'ssl-augment blur:kernal=3'
says "'flip:p=2': p: '2' is not between 0 and 1" "a probability of 2" 'ssl-augment flip:p=2'
says "scale: the range '1-0.2' is upside down" "a range upside down" 'ssl-augment crop:32,scale=1-0.2'
says "is one value too many" "too many values" 'ssl-augment jitter:1,1,1,0.1,1'
says "p is given for 2 views; use --views 2" "a preset for two views" 'ssl-augment @byol'
for bad in crop: :32 crop:-1 crop:32x crop:1e9 crop:32,pad=4,scale=0.5 crop:32,filter=bicubic crop:32,scale=0 jitter:-1 \
    jitter:hue=0.7 blur:2 blur:3,0 solarize:300 erase:value=red rotate rotate:inf affine affine:30,shearx=90 affine:0,scale=0 perspective:2 randaugment:0 randaugment:m=31 resize:0x5 @simclr:0 @simclr:1e9 flip:p= flip:p=0/ ''; do
    exits 2 "'$bad' is refused" "ssl-augment '$bad' <images.ssl"
done
exits 2 "no views" 'ssl-augment --views 0 flip'
for bad in 0 x 2+ 2+0 +6 2+6+1 300 2+1k ''; do exits 2 "--views '$bad' is refused" "ssl-augment --views '$bad' flip + flip <images.ssl"; done
says "what follows '\+' makes local views; use --views N\+M" "local operations, but no local views" 'ssl-augment --views 2 flip + flip'
says "the operations of the local views are missing; write them after an operand \+" "local views, but no operations" 'ssl-augment --views 2+6 flip'
says "p is given for 1\+3 views" "more p than local views" 'ssl-augment --views 2+2 flip + flip:p=0/0/1'
exits 2 "nothing after +" 'ssl-augment --views 2+2 flip +'
exits 2 "65 operations" 'ssl-augment $(yes flip | head -n 65)'
ok "--dry-run opens nothing" 'ssl-augment --dry-run --views 2 @byol erase -j 3'
exits 2 "--dry-run reads operands" 'ssl-augment --dry-run crop'

# ---- what comes out
ok "images stay images" 'ssl-augment crop:24 flip <images.ssl >cropped.ssl'
prints '^kind +images' "the kind" 'ssl-show cropped.ssl'
prints 'image +\|u1 \[24,24,3\]' "the shape" 'ssl-show cropped.ssl'
ok "which the header tells truly" 'ssl-show --check cropped.ssl'
ok "views" 'ssl-augment --views 3 crop:24x20 <images.ssl >views.ssl'
prints '^kind +views' "the kind of views" 'ssl-show views.ssl'
prints 'views +\|u1 \[3,20,24,3\]' "the shape of views" 'ssl-show views.ssl'
is 48 "one frame an image" "ssl-show --check --json views.ssl | sed -n 's/^    \"samples\": \\([0-9]*\\),\$/\\1/p'"
prints 'crop:size=24x20,pad=0,mode=constant,fill=0,p=1' "history has every parameter" 'ssl-show --json views.ssl'
ok "presets in history are operations" 'ssl-augment @simclr-cifar <images.ssl >preset.ssl'
prints 'jitter:brightness=0.6-1.4,contrast=0.6-1.4,saturation=0.6-1.4,hue=-0.1-0.1,p=0.8' "in full" 'ssl-show --json preset.ssl'
ok "and have no name" '! ssl-show --json preset.ssl | grep simclr-cifar'
ok "local views" 'ssl-augment --views 3+4 crop:24x20 + crop:10 <images.ssl >local.ssl'
prints 'views +\|u1 \[3,20,24,3\]' "the shape of views beside local ones" 'ssl-show local.ssl'
prints 'local +\|u1 \[4,10,10,3\]' "the shape of local views" 'ssl-show local.ssl'
prints 'local_operations=crop:size=10' "whose operations are in the history" 'ssl-show local.ssl'
ok "which the header tells truly, too" 'ssl-show --check local.ssl'
says 'local view 2 is 40 x 36 pixels, but the first is 20 x 20' "local views of different sizes" 'ssl-augment --views 2+2 crop:8 + crop:20,p=1/0 <images.ssl'
ok "presets with local views" 'ssl-augment --views 2+3 @swav:28 <images.ssl | ssl-augment --dry-run flip && ssl-augment --views 2+8 @dino:28 <images.ssl | ssl-show --check'
exits 3 "another kind" 'ssl-augment flip <views.ssl'
says 'ssl-augment: .*views.*images' "which is named" 'ssl-augment flip <views.ssl'
exits 3 "a small image" 'ssl-augment crop:64 <images.ssl'
says "sample 0 '[^']*': crop: an image of 40 x 36 is smaller than the crop of 64 x 64; use pad, or scale" "with its key" 'ssl-augment crop:64 <images.ssl'
exits 3 "views of different sizes" 'ssl-augment --views 2 crop:20,p=1/0 <images.ssl'
says 'view 2 is 40 x 36 pixels, but the first is 20 x 20' "which are named" 'ssl-augment --views 2 crop:20,p=1/0 <images.ssl'
ok "a chance of another size" 'ssl-augment crop:20,p=0.5 <images.ssl >mixed.ssl'
ok "is a size that varies" 'ssl-show --check mixed.ssl'

# ---- certain and impossible operations
ok "p=0 is nothing" 'ssl-augment flip:p=0 blur:p=0 crop:8,p=0 <images.ssl >none.ssl'
alike images.ssl none.ssl "p=0 is nothing"
ok "flip twice" 'ssl-augment flip:p=1 flip:p=1 <images.ssl >twice.ssl'
alike images.ssl twice.ssl "flip twice is nothing"
ok "four quarter turns" 'ssl-augment resize:36x36 <images.ssl >square.ssl && ssl-augment rotate:90-90 rotate:90-90 rotate:90-90 rotate:90-90 <square.ssl >turned.ssl'
alike square.ssl turned.ssl "four quarter turns are nothing"
ok "flip, and not" 'ssl-augment flip:p=1 <images.ssl >flipped.ssl'
unlike images.ssl flipped.ssl "flip does something"
ok "gray of gray" 'ssl-augment gray:p=1 jitter:saturation=2-2,hue=0.4-0.4 <gray.ssl >gray2.ssl'
alike gray.ssl gray2.ssl "gray images stay as they are"

# ---- randomness
chain='--views 2+2 crop:24,scale=0.2-1 flip jitter:0.4,0.4,0.4,0.1,p=0.8 gray:p=0.2 blur:p=0.5 erase solarize rotate:10 affine:10,shearx=5 perspective randaugment + crop:12 flip'
ok "one thread" "ssl-augment -j 1 $chain <images.ssl >j1.ssl"
for j in 2 3 8; do
    ok "$j threads" "ssl-augment -j $j $chain <images.ssl >j$j.ssl"
    same j1.ssl j$j.ssl "one thread and $j write the same"
done
ok "seeds" 'ssl-augment --seed 7 crop:8 <images.ssl >seed7.ssl && ssl-augment --seed 8 crop:8 <images.ssl >seed8.ssl'
unlike seed7.ssl seed8.ssl "another seed is another crop"
ok "a seed from the head" 'ssl-load photos --seed 7 | ssl-augment crop:8 >head7.ssl'
alike head7.ssl seed7.ssl "the header's seed is the default"
ok "a second operation" 'ssl-augment --seed 7 flip:p=0 crop:8 blur:1 <images.ssl >more.ssl'
alike seed7.ssl more.ssl "other operations do not move a crop"
ok "two in a pipe" 'ssl-augment --seed 7 crop:30 <images.ssl | ssl-augment crop:8 >two.ssl && ssl-augment --seed 7 crop:30 crop:8 <images.ssl >chain.ssl'
unlike two.ssl chain.ssl "the second program in a pipe draws anew"
ok "a shuffled stream" 'ssl-load photos --shuffle --seed 7 | ssl-augment crop:8 >shuffled.ssl'
cat >by-index.py <<'END'
import sys
from ssl_stream import Reader
for s in sorted(Reader(sys.stdin.buffer), key=lambda s: s["index"]):
    print(s["index"], s["image"].tobytes().hex())
END
if /usr/bin/python3 -c 'import msgpack, numpy' 2>/dev/null; then
    index="PYTHONPATH=$SRC/examples/python PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 by-index.py"
    ok "by index" "$index <seed7.ssl >in-order && $index <shuffled.ssl >not-in-order"
    same in-order not-in-order "the order of the stream does not matter"
else
    skip "the order of the stream" 'python3-msgpack and python3-numpy are not installed'
fi
ok "epochs" 'ssl-load photos --limit 1 --epochs 2 --seed 3 | ssl-augment crop:8 | ssl-show --check'

# ---- extreme images
mkdir odd
for wh in '1 1' '20000 10' '3 500'; do
    set -- $wh
    { printf 'P6 %d %d 255\n' $1 $2; head -c $((3 * $1 * $2)) /dev/urandom; } >"odd/$1x$2.ppm"
done
ok "1 x 1 and 20000 x 10" 'ssl-load odd | ssl-augment jitter:0.4,0.4,0.4,0.1 blur rotate:20,bilinear erase:p=1 solarize:p=1 flip >odd.ssl'
ok "keep their sizes" 'ssl-show --check odd.ssl'
ok "cropped" 'ssl-load odd | ssl-augment --views 2 @simclr:32 | ssl-show --check'
ok "padded" 'ssl-load odd | ssl-augment crop:24,pad=30,mode=reflect | ssl-show --check'
exits 3 "resized beyond all bounds" 'ssl-load odd | ssl-augment resize:40000'

# ---- real images
if [ -f "$DATA/cifar10-test.tar" ]; then
    ok "CIFAR-10 in two views" 'ssl-load $DATA/cifar10-test.tar --limit 500 | ssl-augment --views 2 @simclr-cifar | ssl-show --check'
    ok "photographs in two views" 'ssl-load $DATA/clothing-160.tar --split val --limit 40 | ssl-augment --views 2 @byol:96 | ssl-show --check'
else
    skip "real images" "no $DATA"
fi
end
