# ssl-load: every kind of source, and what is selected from it.
. "$(dirname "$0")/lib.sh"

FILES=$SRC/tests/files
# fields CMD...: one line a sample, "key index pos epoch split class label" as far as they are there
fields() { "$@" | ssl-show -n 100000 | sed -n 's/^sample [0-9]* *key //p' | sed 's/  */ /g'; }
keys() { fields "$@" | cut -d' ' -f1; }
count() { "$@" | ssl-show --check | sed -n 's/^samples *//p'; }

# ---- Folders
mkdir -p p/train/cat p/train/dog p/test/cat p/unlabeled flat
for d in p/train/cat p/train/dog p/test/cat p/unlabeled; do cp "$FILES/good-rgb.png" $d/b.png; done
cp "$FILES/good-gray.jpg" p/train/cat/a.JPG
cp "$FILES/good-gray.jpg" p/train/dog/.hidden.jpg
echo text >p/train/notes.txt
is 'test/cat/b.png index 0 pos 0 epoch 0 split test class cat label 0
train/cat/a.JPG index 1 pos 1 epoch 0 split train class cat label 0
train/cat/b.png index 2 pos 2 epoch 0 split train class cat label 0
train/dog/b.png index 3 pos 3 epoch 0 split train class dog label 1
unlabeled/b.png index 4 pos 4 epoch 0 split unlabeled' 'folder: split and class folders' 'fields ssl-load p/'
says '^ssl-load: left out, being no images by their names: 1 .such as .p/train/notes.txt..$' 'folder: reports what it leaves out' 'ssl-load p | cat >/dev/null'
is 'cat/a.JPG index 0 pos 0 epoch 0 split train class cat label 0
cat/b.png index 1 pos 1 epoch 0 split train class cat label 0
dog/b.png index 2 pos 2 epoch 0 split train class dog label 1' 'folder: an operand named as a split' 'fields ssl-load p/train'
is 'train/cat/a.JPG
train/cat/b.png
train/dog/b.png
test/cat/b.png' 'folders: keys begin with their names' 'keys ssl-load p/train/ p/test'
cp p/train/cat/b.png flat/2.png; cp p/train/cat/b.png flat/10.png; cp p/train/cat/b.png "flat/$(printf 'b\351d\n').png"; cp p/train/cat/b.png flat/é.png
is '10.png index 0 pos 0 epoch 0
2.png index 1 pos 1 epoch 0
b%E9d.png index 2 pos 2 epoch 0
é.png index 3 pos 3 epoch 0' 'folder: flat, by bytes, escaped' 'fields ssl-load flat'
prints '^classes +unknown$' 'folder: flat has no classes' 'ssl-load flat | ssl-show'
mkdir -p loop/a; cp flat/2.png loop/a; ln -s .. loop/a/up
exits 3 'folder: a link that leads back' 'ssl-load loop | cat >/dev/null; exit ${PIPESTATUS:-3}'
says 'contains itself through a link' 'folder: says so' 'ssl-load loop | cat >/dev/null'
mkdir none; echo x >none/x.txt
exits 3 'folder: without images' 'ssl-load none >x.ssl'
says "no images are in 'none'" 'folder: says so' 'ssl-load none >x.ssl'

# ---- Lists
printf 'p/train/cat/b.png\n./p/test/cat/b.png\r\np/train/dog/b.png\tfish\n\n' >list
is 'p/train/cat/b.png index 0 pos 0 epoch 0 split train class cat label 0
p/test/cat/b.png index 1 pos 1 epoch 0 split test class cat label 0
p/train/dog/b.png index 2 pos 2 epoch 0 split train class fish label 1' 'list: paths and labels' 'fields ssl-load --files-from list'
is 3 'list: from standard input' 'count ssl-load --files-from - <list'
is 'flat/2.png
flat/10.png
flat/2.png~2' 'list: NUL-ended, twice the same' 'printf "flat/2.png\0flat/10.png\0flat/2.png" | keys ssl-load --files-from - -0'
printf 'flat/2.png\nflat/no.png\nflat/10.png\n' >missing
exits 3 'list: a missing path' 'ssl-load --files-from missing >x.ssl'
says "^ssl-load: cannot open 'flat/no.png': No such file or directory$" 'list: says which' 'ssl-load --files-from missing >x.ssl'
is 2 'list: skips it when told' 'count ssl-load --files-from missing --on-error=skip'
says "^ssl-load: skipped 1 of 3 images; the first: cannot open 'flat/no.png'" 'list: reports it' 'ssl-load --files-from missing --on-error=skip >x.ssl'
prints '^skipped +1$' 'list: counts it in the trailer' 'ssl-show --check <x.ssl'
exits 3 'list: empty' 'ssl-load --files-from /dev/null >x.ssl'
exits 1 'list: absent' 'ssl-load --files-from nolist >x.ssl'

# ---- Tars
(cd p && tar cf ../p.tar --sort=name train test unlabeled)
is 'train/cat/a index 0 pos 0 epoch 0 split train class cat label 0' 'tar: key up to the first dot' 'fields ssl-load p.tar | grep cat/a'
is 5 'tar: all images' 'count ssl-load p.tar'
mkdir w; for i in 0 1 2; do cp flat/2.png w/00$i.png; echo "class $i" >w/00$i.cls; echo '{}' >w/00$i.json; done
(cd w && tar cf ../w.tar 000.cls 000.json 000.png 001.json 001.png 001.cls 002.cls 002.png)
wanted='000 index 0 pos 0 epoch 0 class class 0 label 0
001 index 1 pos 1 epoch 0 class class 1 label 1
002 index 2 pos 2 epoch 0 class class 2 label 2'
is "$wanted" 'tar: .cls before and after the image' 'fields ssl-load w.tar'
is "$(echo "$wanted" | sed 's/ label .//')" 'tar: from a pipe, classes are not known beforehand' 'cat w.tar | fields ssl-load -'
prints '^count +(-|unknown)' 'tar: from a pipe, nor is the count' 'cat w.tar | ssl-load - | ssl-show'
is 8 'tar: joined by cat' 'cat w.tar p.tar | count ssl-load -'
cat w.tar p.tar >joined.tar
is 8 'tar: joined by cat, as a file' 'count ssl-load joined.tar'
is 8 'tar: two files' 'count ssl-load w.tar p.tar'
long=$(printf '%0120d' 7) name=$(printf '%080d' 7)
mkdir -p deep/$long; cp flat/2.png deep/$long/$name.png
for format in gnu pax ustar; do
    (cd deep && tar c --format=$format $long/$name.png 2>/dev/null) >long.tar || { skip "tar: long names, $format" 'tar cannot write them'; continue; }
    is "$long/$name" "tar: long names, $format" 'keys ssl-load long.tar'
    is "$long/$name" "tar: long names, $format, from a pipe" 'cat long.tar | keys ssl-load -'
done
tar cf v7.tar --format=v7 flat/2.png
is flat/2 'tar: v7' 'keys ssl-load v7.tar'
mkdir x; cp flat/2.png x/a.left.png; cp flat/2.png x/a.right.png; cp flat/2.png x/b.png
(cd x && tar cf ../x.tar a.left.png a.right.png b.png)
is 'a
a.right.png
b' 'tar: a second image of a sample' 'keys ssl-load x.tar'
gzip -k w.tar
exits 3 'tar: compressed' 'ssl-load w.tar.gz >x.ssl'
says 'zcat' 'tar: says what to do' 'ssl-load w.tar.gz >x.ssl'
says 'zcat' 'tar: says what to do, from a pipe' 'ssl-load - <w.tar.gz >x.ssl'
is 3 'tar: through zcat' 'zcat w.tar.gz | count ssl-load -'
head -c 1536 w.tar >cut.tar
exits 3 'tar: truncated' 'ssl-load cut.tar >x.ssl'
says "'cut.tar': the tar is truncated" 'tar: says so' 'ssl-load cut.tar >x.ssl'
says 'standard input: the tar is truncated' 'tar: says so, from a pipe' 'cat cut.tar | ssl-load - >x.ssl'

# ---- Binary data sets
mkdir c10 c100 stl idx
for i in 1 2; do head -c $((10 * 3073)) /dev/zero >c10/data_batch_$i.bin; done
head -c 3073 /dev/zero >c10/test_batch.bin
printf 'plane\ncar\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n' >c10/batches.meta.txt
is 'test/00000 index 20 pos 20 epoch 0 split test class plane label 7' 'cifar10: counts on, names its classes' 'fields ssl-load c10 | tail -n 1'
is 'train/00019' 'cifar10: keys count on' 'keys ssl-load c10 --split train | tail -n 1'
head -c $((3 * 3074)) /dev/zero >c100/train.bin
is 3 'cifar100' 'count ssl-load c100'
is 3 'cifar100: one file' 'count ssl-load c100/train.bin'
head -c 5000 /dev/zero >c100/test.bin
exits 3 'cifar100: truncated' 'ssl-load c100 >x.ssl'
head -c $((2 * 27648)) /dev/zero >stl/train_X.bin
printf '\001\012' >stl/train_y.bin
head -c 27648 /dev/zero >stl/unlabeled_X.bin
is 'train/00000 index 0 pos 0 epoch 0 split train class 01 label 0
train/00001 index 1 pos 1 epoch 0 split train class 10 label 9
unlabeled/00000 index 2 pos 2 epoch 0 split unlabeled' 'stl10' 'fields ssl-load stl'
printf '\000' >>stl/train_y.bin
exits 3 'stl10: more labels than images' 'ssl-load stl >x.ssl'
printf '\000\000\010\003\000\000\000\002\000\000\000\003\000\000\000\004123456789012abcdefghijkl' >idx/train-images-idx3-ubyte
printf '\000\000\010\001\000\000\000\002\007\003' >idx/train-labels-idx1-ubyte
is 'train/00000 index 0 pos 0 epoch 0 split train class 7 label 1
train/00001 index 1 pos 1 epoch 0 split train class 3 label 0' 'idx: a folder' 'fields ssl-load idx'
is 2 'idx: one file' 'count ssl-load idx/train-images-idx3-ubyte'
gzip idx/train-images-idx3-ubyte
is 2 'idx: compressed' 'count ssl-load idx'
head -c 30 idx/train-images-idx3-ubyte.gz >idx/t10k-images-idx3-ubyte.gz
exits 3 'idx: cut gzip' 'ssl-load idx >x.ssl'
ok 'idx: of another split, not looked at' 'printf "\000\000\010\001\000\000\000\000" >idx/t10k-labels-idx1-ubyte; ssl-load idx --split train >x.ssl'
printf '\000\000\010\003\377\377\377\377\377\377\377\377\377\377\377\377' >huge-images-idx3-ubyte
exits 3 'idx: claims 2^96 bytes' 'ssl-load huge-images-idx3-ubyte >x.ssl'

# ---- Saved streams
ssl-load p --split train >a.ssl
ssl-load p --split test >b.ssl
is 'train/cat/a.JPG index 0 pos 0 epoch 0 split train class cat label 0
train/cat/b.png index 1 pos 1 epoch 0 split train class cat label 0
train/dog/b.png index 2 pos 2 epoch 0 split train class dog label 1
test/cat/b.png index 3 pos 3 epoch 0 split test class cat label 0' 'streams: merged' 'fields ssl-load a.ssl b.ssl'
is 'test/cat/b.png
test/cat/b.png~2' 'streams: keys stay unique' 'keys ssl-load b.ssl b.ssl'
prints "^2$" 'streams: the history has each source once, and the merge' 'ssl-load b.ssl b.ssl | ssl-show --json | grep -c "\"tool\": *\"ssl-load\""'
is 'train/dog/b.png index 0 pos 0 epoch 0 split train class dog label 0' 'stream: from a pipe, selected' 'cat a.ssl | fields ssl-load - --classes dog'
is 3 'stream: from a pipe' 'cat a.ssl | count ssl-load - --size 8'
ok 'stream: passed through is the same images' 'ssl-load a.ssl | ssl-show -n 9 | grep image >m1; ssl-show -n 9 <a.ssl | grep image >m2'
same m1 m2 'stream: the same pixels'
head -c 1500 a.ssl >cut.ssl
exits 3 'stream: truncated' 'ssl-load cut.ssl >x.ssl'
says "^ssl-load: 'cut.ssl': stream truncated" 'stream: says so' 'ssl-load cut.ssl >x.ssl'
exits 3 'stream: of another kind' 'ssl-load p --size 8 | ssl-pretext rotate >e.ssl; ssl-load e.ssl >x.ssl'
says 'examples.*images' 'stream: names both kinds' 'ssl-load e.ssl >x.ssl'
exits 3 'nothing on standard input' 'ssl-load - </dev/null >x.ssl'

# ---- Selection
ssl-load p --limit 2 --seed 3 | ssl-show -n 9 | sed -n 's/.*key \([^ ]*\).*/\1/p' >two
ssl-load p --limit 3 --seed 3 | ssl-show -n 9 | sed -n 's/.*key \([^ ]*\).*/\1/p' >three
is 2 'limit: a smaller one is a subset' 'grep -cxFf two three'
is 'cat dog' 'limit: balanced' 'echo $(fields ssl-load p --split train --limit 2 --balance | sed "s/.*class //; s/ .*//" | sort)'
exits 3 'split: absent' 'ssl-load p --split val >x.ssl'
says "no image is in the split 'val'; there is test, train, unlabeled" 'split: says what there is' 'ssl-load p --split val >x.ssl'
exits 3 'classes: unknown' 'ssl-load p --classes dgo >x.ssl'
says "no class is named 'dgo'; did you mean 'dog'" 'classes: guesses' 'ssl-load p --classes dgo >x.ssl'

# ---- Command line
exits 2 'no source' 'ssl-load >x.ssl'
exits 1 'absent source' 'ssl-load nowhere >x.ssl'
says "^ssl-load: cannot open 'nowhere': No such file or directory$" 'absent source: says so' 'ssl-load nowhere >x.ssl'
for bad in '--epochs 0' '--epochs many' '--shard 2/2' '--shard 1' '--size 0' '--fit crop' '--balance' '--background red' '--format zip' '--on-error=maybe' '-0' '--limit -1'; do
    exits 2 "usage: $bad" "ssl-load p $bad >x.ssl"
done
exits 2 'pipe: no epochs' 'cat w.tar | ssl-load - --epochs 2 >x.ssl'
exits 2 'pipe: no company' 'cat w.tar | ssl-load - p >x.ssl'
exits 2 'pipe: not of every format' 'ssl-load - --format npy <w.tar >x.ssl'
is 3 'pipe: a fifo is one' 'mkfifo f; timeout 60 sh -c "cat w.tar >f" & count ssl-load f'
is 6 'pipe: standard input by its name, a file' 'count ssl-load /dev/stdin --epochs 2 <w.tar'
exits 3 'a device that is empty' 'ssl-load /dev/null >x.ssl'
odd=$(printf 'b\351d')
cp -r flat "$odd"
prints 'operand.*b%E9d' 'an operand that is not UTF-8 stands escaped in the history' 'ssl-load "$odd" | ssl-show --json'
for format in folder tar idx cifar10 cifar100 stl10 npy stream image list; do
    prints "^$format " "--list names $format" 'ssl-load --list'
done
end
