# ssl-load: the order of a run: threads, seeds, epochs, shards and skipping; from files and from a pipe.
. "$(dirname "$0")/lib.sh"

tar=$DATA/cifar10-test.tar
if [ ! -f "$tar" ]; then
    skip 'order' "no $tar"
    end
    exit
fi
fields() { "$@" | ssl-show -n 100000 | sed -n 's/^sample [0-9]* *key //p' | sed 's/  */ /g'; }

for how in '' '--shuffle' '--shuffle --epochs 2 --limit 300' '--limit 500 --balance --size 16 --gray'; do
    ssl-load "$tar" $how -j1 >1.ssl
    ssl-load "$tar" $how -j4 >4.ssl
    same 1.ssl 4.ssl "threads do not matter: $how"
    ssl-load "$tar" $how -j4 >again.ssl
    same 4.ssl again.ssl "nor does running again: $how"
done
cat "$tar" | ssl-load - --shuffle --shuffle-buffer 100 -j1 >1.ssl
cat "$tar" | ssl-load - --shuffle --shuffle-buffer 100 -j4 >4.ssl
same 1.ssl 4.ssl 'nor in a pipe'

# Two epochs visit everything twice, each in an order of its own.
fields ssl-load "$tar" --limit 200 --shuffle --epochs 2 --seed 1 >run
head -n 200 run | cut -d' ' -f1 >e0
tail -n 200 run | cut -d' ' -f1 >e1
sort e0 >s0; sort e1 >s1
same s0 s1 'both epochs hold the same images'
is 200 'each image once' 'sort -u e0 | wc -l'
exits 1 'in different orders' 'cmp -s e0 e1'
is '0 399' 'positions go through' 'sed "s/.* pos \([0-9]*\) .*/\1/" run | sed -n "1p;\$p" | tr "\n" " " | sed "s/ $//"'
is '0 1' 'epochs are counted' 'echo $(sed "s/.* epoch \([0-9]*\).*/\1/" run | uniq)'
fields ssl-load "$tar" --limit 200 --shuffle --epochs 2 --seed 2 | head -n 200 | cut -d' ' -f1 | sort >other
exits 1 'another seed draws another subset' 'cmp -s s0 other'
fields ssl-load "$tar" --limit 200 --seed 1 | cut -d' ' -f1 | sort >plain
same s0 plain 'shuffling does not change the subset'

# Shards share the run between them; skipping goes on where it would have been.
for i in 0 1 2; do
    fields ssl-load "$tar" --limit 200 --shuffle --epochs 2 --seed 1 --shard $i/3 >shard$i
done
is '134 133 133' 'shards have their counts' 'echo $(wc -l <shard0) $(wc -l <shard1) $(wc -l <shard2)'
paste -d'\n' shard0 shard1 shard2 | grep . >joined
same run joined 'shards are every third position'
prints '^count +133$' 'the header counts the shard' "ssl-load $tar --limit 200 --epochs 2 --shard 1/3 | ssl-show"
for n in 0 1 77 200 399; do
    fields ssl-load "$tar" --limit 200 --shuffle --epochs 2 --seed 1 --skip $n >rest
    tail -n +$((n + 1)) run >wanted
    same rest wanted "--skip $n"
done
ssl-load "$tar" --limit 200 --epochs 2 | ssl-show | sed -n 1,/^sample/p | grep -v '^sample' >h1
ssl-load "$tar" --limit 200 --epochs 2 --skip 50 | ssl-show | sed -n 1,/^sample/p | grep -v '^sample' >h2
same h1 h2 'the header does not know of skipping'
fields ssl-load "$tar" --limit 200 --shuffle --epochs 2 --seed 1 --skip 100 --shard 1/3 >rest
sed -n '/pos 100 /,$p' run | awk '{for (i = 1; i < NF; i++) if ($i == "pos" && $(i + 1) % 3 == 1) print}' >wanted
same rest wanted 'skipping in a shard'
ok 'skipping everything is a run that is done' "ssl-load $tar --skip 10000 | ssl-show --check"

# A pipe gives the same images as the file; what it holds back to shuffle comes out in the end.
fields ssl-load "$tar" | sed 's/ label .*//' >file
cat "$tar" | fields ssl-load - >pipe
same file pipe 'pipe and file agree'
cat "$tar" | fields ssl-load - --shuffle --shuffle-buffer 500 | cut -d' ' -f1 >mixed
exits 1 'a pipe is shuffled' 'cut -d" " -f1 file | cmp -s - mixed'
sort mixed >m1; cut -d' ' -f1 file | sort >m2
same m1 m2 'and loses nothing'
cat "$tar" | fields ssl-load - --skip 9990 >rest
tail -n 10 file >wanted
same rest wanted 'skipping in a pipe'
cat "$tar" | fields ssl-load - --shard 3/4 | head -n 5 >rest
awk 'NR % 4 == 0' file | head -n 5 >wanted
same rest wanted 'shards of a pipe'
is 10 'limit of a pipe' "cat $tar | ssl-load - --limit 10 | ssl-show --check | sed -n 's/^samples *//p'"
is 200 'limit of a pipe, shuffled' "cat $tar | ssl-load - --limit 200 --shuffle | ssl-show --check | sed -n 's/^samples *//p'"

# Without end, until the reader has enough.
ok 'epochs without end stop with the reader' "ssl-load $tar --limit 10 --epochs inf --shuffle | head -c 1000000 >/dev/null"
prints '^count +(-|unknown|null|without)' 'and have no count' "ssl-load $tar --limit 10 --epochs inf | ssl-show --stop"

# What streams out of a slow source comes at once.
mkfifo slow
(head -c 200000 "$tar"; exec sleep 60) >slow &
source=$!
ssl-load - <slow 2>/dev/null | ssl-show --stop -n 100 >first &
shower=$!
for tenth in $(seq 100); do
    kill -0 $shower 2>/dev/null || break
    sleep 0.1
done
if kill -0 $shower 2>/dev/null; then fail 'a slow pipe is not held back' 'nothing after 10 seconds'; kill $shower; else pass; fi
kill $source
wait
is 100 'its first images' 'grep -c ^sample first'

# A million paths start to stream at once. Processor time, since a busy machine has little of any other.
cp "$SRC/tests/files/good-rgb.png" one.png
{ echo one.png; awk 'BEGIN { for (i = 0; i < 1000000; i++) printf "photos/train/class%d/image-%07d.jpg\n", i % 1000, i }'; } >list
bash -c 'TIMEFORMAT="%U %S"; time ssl-load --files-from list -q 2>/dev/null | head -c 20000 | wc -c >got' 2>spent
is 'in time' 'a million paths' "awk '{ t = \$1 + \$2; print t < 4 ? \"in time\" : t \" seconds\" }' spent"
exits 0 'and an image comes' '[ $(cat got) -gt 1000 ]'
end
