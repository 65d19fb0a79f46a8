# ssl-load: bad images, and a world that does not play along.
. "$(dirname "$0")/lib.sh"

FILES=$SRC/tests/files
for f in "$FILES"/good-*; do
    name=$(basename "$f")
    is 1 "$name" "ssl-load '$f' | ssl-show --check | sed -n 's/^samples *//p'"
    ok "$name, resized" "ssl-load '$f' --size 7 --gray | ssl-show --check"
done
for f in "$FILES"/bad-*; do
    name=$(basename "$f")
    exits 3 "$name" "ssl-load '$f' >x.ssl"
    says "^ssl-load: cannot decode '.*$name': " "$name says so" "ssl-load '$f' >x.ssl"
    is 1 "$name: one message, one line" "ssl-load '$f' 2>&1 >x.ssl | wc -l"
    exits 3 "$name: nothing good is left" "ssl-load --on-error=skip '$f' >x.ssl"
done
is "$(ls "$FILES" | grep -c ^good-)" 'skipping leaves the good ones' "ssl-load --on-error=skip -q '$FILES' | ssl-show --check | sed -n 's/^samples *//p'"
prints "^skipped +$(ls "$FILES" | grep -c ^bad-)$" 'and counts the bad ones' "ssl-load --on-error=skip -q '$FILES' | ssl-show --check"
ssl-load --on-error=skip -q -j1 "$FILES" >1.ssl; ssl-load --on-error=skip -q -j4 "$FILES" >4.ssl
same 1.ssl 4.ssl 'the same with four threads'
ssl-load -q -j1 "$FILES" >1.ssl 2>e1; ssl-load -q -j4 "$FILES" >4.ssl 2>e4
same 1.ssl 4.ssl 'up to the first bad one too'
same e1 e4 'with the same message'
exits 3 'the rest of the pipe stops' "ssl-load -q '$FILES' 2>/dev/null | ssl-augment flip | ssl-show --check >/dev/null"
is 1 'with one message' "ssl-load -q '$FILES' 2>e | ssl-augment flip 2>>e | ssl-show --check >/dev/null 2>>e; wc -l <e"
exits 3 'too many pixels' "ssl-load --max-pixels 139 '$FILES/good-rgb.png' >x.ssl"
ok 'just enough pixels' "ssl-load --max-pixels 140 '$FILES/good-rgb.png' >x.ssl"

mkdir in
cp "$FILES/good-rgb.png" in/a.png
mkfifo in/b.png
exits 3 'a fifo among the files does not hang' 'timeout 10 ssl-load in >x.ssl'
rm in/b.png; ln -s nowhere in/b.png
says "^ssl-load: cannot open 'in/b.png': No such file or directory" 'a link to nothing' 'ssl-load in >x.ssl'
rm in/b.png
if [ "$(id -u)" != 0 ]; then
    cp in/a.png in/b.png; chmod 0 in/b.png
    says "^ssl-load: cannot open 'in/b.png': Permission denied" 'a file of somebody else' 'ssl-load in >x.ssl'
    rm -f in/b.png
fi
if [ -e /dev/full ]; then
    exits 1 'a full disk' 'ssl-load in >/dev/full'
    says '^ssl-load: cannot write the output: No space left on device$' 'a full disk: says so' 'ssl-load in >/dev/full'
fi
ok 'a reader that has gone' 'ssl-load in --epochs 100000 | head -c 1000 >/dev/null'
is 0 'is no failure' '(ssl-load in --epochs 100000; echo $? >status) | head -c 1000 >/dev/null; cat status'
is 0 'nor when SIGPIPE is ignored' '(trap "" PIPE; ssl-load in --epochs 100000; echo $? >status) | head -c 1000 >/dev/null; cat status'
exits 3 'an upstream tar that is killed' '(tar c in; tar c in) | head -c 11000 | ssl-load - >x.ssl'
exits 3 'an upstream stream that is killed' 'ssl-load in | head -c 1000 | ssl-load - >x.ssl'
# A bad member of an archive costs itself, wherever it stands.
mkdir -p shard/train/cat
for i in 1 2 3 4 5; do cp "$FILES/good-rgb.png" "shard/train/cat/$i.png"; done
cp "$FILES/bad-truncated.jpg" shard/train/cat/3.jpg
(cd shard && tar cf ../shard.tar train/cat/1.png train/cat/2.png train/cat/3.jpg train/cat/4.png train/cat/5.png)
for how in 'shard.tar' '- <shard.tar'; do
    says "^ssl-load: cannot decode 'train/cat/3'" "a bad member: ${how%% *}" "ssl-load $how >x.ssl"
    is 4 "skipping it: ${how%% *}" "ssl-load --on-error=skip $how 2>said | ssl-show --check | sed -n 's/^samples *//p'"
    is 1 "is said: ${how%% *}" "grep -c 'skipped 1 of 5 images; the first: .*train/cat/3.:' said"
done

# 300 MB of archives, joined, in an address space that does not hold them.
if [ -f "$DATA/cifar10-test.tar" ] && [ "${FLAVOUR:-release}" = release ]; then
    is 200,000 'archives without end in little memory' '(for i in $(seq 20); do cat "$DATA/cifar10-test.tar"; done) |
        (ulimit -v 250000; ssl-load -q -j2 -) | ssl-show --check | sed -n "s/^samples *//p"'
else
    skip 'archives without end in little memory' "no $DATA/cifar10-test.tar, or a sanitizer's address space"
fi

exits 2 'a stream is not for a terminal' 'script -qec "ssl-load in" /dev/null </dev/null'
exits 1 'a closed standard input' 'ssl-load - <&- >x.ssl'
end
