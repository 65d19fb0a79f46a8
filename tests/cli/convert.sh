# ssl-convert: round trips, bad files, what is refused.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"

photographs photos
ok 'embeddings' 'ssl-load photos --size 16 | ssl-embed -q -m pixels >e.ssl'
ok 'some without a class' "ssl-load '$SRC/tests/files/good-rgb.png' '$SRC/tests/files/good-gray.png' --size 4 | ssl-embed -q -m pixels >plain.ssl"
ok 'a model' 'ssl-load photos --size 16 | ssl-pretext rotate | ssl-train -q --encoder resnet10 --width 4 --batch 8 -o m.model'
digest() { ssl-show --check "$1" | sed -n 's/^digest *//p'; }

# ---- round trips
for format in npz tsv; do
    for f in e plain; do
        ok "$f to $format" "ssl-convert $f.ssl -o $f.$format"
        ok "and back" "ssl-convert $f.$format >back.ssl"
        is "$(digest $f.ssl)" "$format: the samples of $f come back" 'digest back.ssl | grep .'
        ok "and again" "ssl-convert --to $format <back.ssl >again.$format"
        same $f.$format again.$format "$format: a second time gives the same bytes"
    done
done
ok 'classes come back' 'ssl-convert e.tsv | ssl-show >back.txt && ssl-show e.ssl >there.txt'
is "$(ssl-show e.ssl | grep ^classes)" 'by their names' 'grep ^classes back.txt'
prints 'ssl-convert +digest=[0-9a-f]* *$|format=tsv operand=e.tsv' 'history names the file' 'cat back.txt'
is "$(ssl-show --check e.ssl | sed -n 's/^samples *//p')" 'a line a sample' 'tail -n +2 e.tsv | wc -l'
is 'key index' 'columns to cut' "head -n 1 e.tsv | cut -f 1,2 | tr '\t' ' '"
ok 'awk between two pipes' "ssl-convert --to tsv <e.ssl | awk 'NR == 1 || NR % 2' | ssl-convert - | ssl-show --check"
ok 'images, too' 'ssl-load photos --size 8 >i.ssl && ssl-convert i.ssl -o i.npz && ssl-convert i.npz >i2.ssl'
is "$(digest i.ssl)" 'come back' 'digest i2.ssl'
ok 'images as files' 'ssl-convert i.ssl -o i.tar && ssl-load i.tar >i3.ssl'
if /usr/bin/python3 -c 'import msgpack, numpy' 2>/dev/null; then
    cat >pixels.py <<'END'
import sys
from ssl_stream import Reader
for s in sorted(Reader(sys.stdin.buffer), key=lambda s: s["key"].rsplit(".", 1)[0]):
    print(s["key"].rsplit(".", 1)[0], s.get("split"), s.get("class"), s["image"].tobytes().hex())
END
    pixels="PYTHONPATH=$SRC/examples/python PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 pixels.py"
    ok 'their pixels' "$pixels <i.ssl >there && $pixels <i3.ssl >back"
    same there back 'are the same, and so are keys, splits and classes'
else
    skip 'the pixels of files' 'python3-msgpack and python3-numpy are not installed'
fi
ok 'a folder, by tar' 'mkdir unpacked && ssl-convert -t tar <i.ssl | tar x -C unpacked && ssl-load unpacked | ssl-show --check >back.txt'
is "$(ssl-show --check i.ssl | grep '^samples')" 'holds them all' "grep '^samples' back.txt"
ok 'a folder of PNG files' 'ssl-convert i.ssl -o pngs/ && ssl-load pngs >i4.ssl'
is "$(ssl-show --check i3.ssl | grep -v digest)" 'the same as by tar' 'ssl-show --check i4.ssl | grep -v digest'
is "$(cd unpacked && find . -type f | sort)" 'and the same names' 'cd pngs && find . -type f | sort'
ok 'the same files' 'diff -r unpacked pngs'
ok 'a folder of JPEG files' 'mkdir jpegs && ssl-convert i.ssl -t jpeg --quality 50 -o jpegs && ssl-load jpegs | ssl-show --check >back.txt'
is "$(ssl-show --check i.ssl | grep '^samples')" 'holds them all, too' "grep '^samples' back.txt"
exits 1 'a folder that is not empty' 'ssl-convert i.ssl -o pngs/'
exits 1 'a file in its place' 'ssl-convert i.ssl -t png -o i.npz'
exits 2 'a folder on standard output' 'ssl-convert -t png i.ssl'
exits 2 'one PNG file' 'ssl-convert i.ssl -o one.png'
exits 3 'a truncated stream into a folder' 'head -c 4000 i.ssl | ssl-convert -o cut/'
ok 'leaves nothing' '[ ! -e cut ] && [ -z "$(ls -d .cut* 2>/dev/null)" ]'
ok 'two of one name' 'mkdir -p twice && cp $SRC/tests/files/good-rgb.png twice/a.png && cp $SRC/tests/files/good-rgb.png twice/a.b.png && cp twice/a.png twice/a_b.png'
says "another sample is the file 'a_b.png' already" 'are refused' 'ssl-load twice | ssl-convert -o same/'
exits 3 'embeddings as a folder' 'ssl-convert e.ssl -o es/'
long=$(printf '%060d/' 1 2 3)
ok 'long names' "mkdir -p far/$long && cp $SRC/tests/files/good-rgb.png far/${long}x.png && ssl-load far | ssl-convert -t tar >far.tar"
is "${long}x.png" 'by pax' 'tar tf far.tar'
ok 'read here, too' "ssl-load far.tar | ssl-show | grep -q 'key ${long}x'"
ok 'one array' 'ssl-convert e.ssl -o e.npy && ssl-convert e.npy >e.back'
prints '^fields +key:str +index:int +embedding:<f4\[768\]' 'is numbered' 'ssl-show e.back'
ok 'a model to safetensors' 'ssl-convert m.model -o m.safetensors && ssl-convert m.safetensors -o m2.model'
ok 'embeds' 'ssl-load photos --size 16 | ssl-embed -q -m m.model >1.ssl && ssl-load photos --size 16 | ssl-embed -q -m m2.model >2.ssl'
is "$(digest 1.ssl)" 'the same' 'digest 2.ssl'
ok 'and again' 'ssl-convert m2.model -o m2.safetensors'
same m.safetensors m2.safetensors 'safetensors: a second time gives the same bytes'
ok 'with its head' 'ssl-convert --all m.model -o all.safetensors && grep -q head.weight all.safetensors'
ok 'a model to ONNX' 'ssl-convert m.model -o m.onnx && [ -s m.onnx ]'
ok 'for grey images' 'ssl-convert --channels 1 m.model -o g.onnx && [ -s g.onnx ]'
ok 'of a model of patches' "ssl-load $FASHION --limit 8 --size 48 --split train | ssl-pretext jigsaw:4 |
    ssl-train -q --encoder convnet --width 4 --batch 8 --set hidden=8 -o p.model && ssl-convert p.model -o p.onnx"
ok 'it takes whole images, 48 x 48 x 3' "od -An -v -tx1 p.onnx | tr -d ' \n' | grep -q 0a0208300a0208300a020803"
exits 2 'for two channels' 'ssl-convert --channels 2 m.model -o g2.onnx'
if /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    is "$(tail -n +2 e.tsv | cut -f 1 | sed -n 3p)" 'numpy reads an npz' "/usr/bin/python3 -c 'import numpy; print(numpy.load(\"e.npz\")[\"key\"][2])'"
    is 'cat dog ship' 'the example in Python' "/usr/bin/python3 '$SRC/examples/python/embeddings.py' e.npz | cut -f 1 | paste -s -d ' '"
else
    skip 'numpy reads an npz' 'python3-numpy is not installed'
fi

ok 'an npz of the kind zip64' "ssl-convert '$SRC/tests/fuzz/corpus/npz/zip64.npz' | ssl-convert --to tsv >zip64.tsv"
is '1	b	3	4	5' 'is read' 'tail -n 1 zip64.tsv'

# ---- the command line
exits 2 'a stream without a format' 'ssl-convert e.ssl'
says 'say what to write, by --to FORMAT or -o FILE.FORMAT' 'is asked about it' 'ssl-convert e.ssl'
says "unknown format 'npq'; did you mean 'npz'\\?" 'a misspelt format' 'ssl-convert --to npq e.ssl'
says "'e.what' is of no known format" 'an unknown suffix' 'ssl-convert e.ssl -o e.what'
exits 2 'two foreign formats' 'ssl-convert e.npz -o e2.tsv'
says 'onnx is not read, only written' 'ONNX as input' 'ssl-convert --from onnx m.onnx'
prints '^  safetensors +written, read' '--list' 'ssl-convert --list'
exits 3 'an empty input' 'ssl-convert --to tsv </dev/null'
exits 3 'text' "ssl-convert '$SRC/README.md'"
exits 1 'no such file' 'ssl-convert nothing.npz'
exits 3 'an abort frame for the next program' 'ssl-convert nothing.npz 2>/dev/null | ssl-show --check'

# ---- what has no place
exits 3 'a model in a table' 'ssl-convert m.model -o m.npz'
exits 3 'images in lines' 'ssl-convert i.ssl -o i.tsv'
says "'image' has 3 dimensions, and a line has one; write npz" 'which says why' 'ssl-convert i.ssl -o i.tsv'
exits 3 'images of many sizes' 'ssl-load photos | ssl-augment resize:30,p=0.5 | ssl-convert -o x.npz'
exits 3 'embeddings as pictures' 'ssl-convert e.ssl -o e.tar'
exits 3 'embeddings as a network' 'ssl-convert e.ssl -o e.onnx'
ok 'and no file is left' '[ ! -e x.npz ] && [ ! -e m.npz ] && [ ! -e i.tsv ] && [ ! -e e.onnx ]'
exits 3 'a truncated stream' 'head -c 3000 e.ssl | ssl-convert -o x.npz'

# ---- damaged files: cut anywhere, with a byte changed anywhere, they are refused or read; nothing crashes
for f in e.npz e.npy m.safetensors; do
    size=$(wc -c <$f)
    for at in 1 8 9 20 64 100 127 500 $((size / 2)) $((size - 100)) $((size - 20)) $((size - 1)); do
        run "head -c $at $f | ssl-convert --from ${f##*.} >x.ssl"
        if [ "$got" = 3 ] && [ "$(wc -l <"$T/.err")" = 1 ]; then pass; else fail "$f, cut at $at" "exit $got" "$(cat "$T/.err")"; fi
    done
done
printf '\377\377\377\377\377\377\377\177{}' >lie.safetensors
exits 3 'a header of 2^63 bytes' 'ssl-convert --from safetensors lie.safetensors >x.ssl'
printf '\100\0\0\0\0\0\0\0{"conv1.weight":{"dtype":"F32","shape":[9999999999],"data_offsets":' >lie.safetensors
exits 3 'a header that ends early' 'ssl-convert lie.safetensors >x.ssl'
printf '\223NUMPY\1\0\106\0%-69s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 9999999), }" >lie.npy
exits 3 'a shape of a petabyte' 'ssl-convert lie.npy >x.ssl'
for bad in 'key\tindex\na' 'key\tindex\na\tb' 'key\tindex\tindex\na\t1\t2' 'key\tembedding:1\na\t1' 'key\tembedding:0\na\tone' \
    'key\tembedding:0\na\t1\t2' 'key\tembedding:0' 'key\tlabel\na\t1' 'key\tembedding:0\na\t'; do
    exits 3 "tsv: $bad" "printf '$bad\\n' | ssl-convert - >x.ssl"
done
says "'-', line 3: 'one' is no value of 'embedding'" 'with the line' "printf 'key\\tembedding:0\\na\\t1\\nb\\tone\\n' | ssl-convert - >x.ssl"
if [ -e /dev/full ]; then
    exits 1 'a full disk' 'ssl-convert --to npz e.ssl >/dev/full'
fi
end
