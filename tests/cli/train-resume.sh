# ssl-train: a resumed run equals an unbroken one, bit for bit, wherever it was killed.
. "$(dirname "$0")/lib.sh"

ok "examples" "ssl-load $FASHION --gray --split train --limit 640 --epochs 2 --shuffle | ssl-pretext rotate >ex.ssl"
train="ssl-train --encoder resnet10 --width 4 --batch 32 -j 1 --log-every 3"
ok "the unbroken run" "$train --log whole.log -o whole.model <ex.ssl"
resumed="$train --checkpoint k --checkpoint-every 5 --resume --log log"

# SIGKILL after so many seconds, three times, then on to the end.
kill_at() {
    ($resumed -o "$1" <ex.ssl & pid=$!; sleep "$2"; kill -9 $pid 2>/dev/null; wait $pid) 2>/dev/null
}
for delay in 0.1 0.3 0.8; do
    rm -f k log out.model
    for again in 1 2 3; do kill_at out.model $delay; done
    ok "finished after SIGKILL every $delay s" "$resumed -o out.model <ex.ssl"
    same whole.model out.model "equal after SIGKILL every $delay s"
    is "$(sed 's/, "images_per_second.*//' whole.log)" "the log too, $delay s" "sed 's/, \"images_per_second.*//' log"
done
is "" "nothing is left behind" "ls -A | grep tmp; :"

# Killed at every checkpoint: the trainer takes its steps from a source that stops there.
rm -f k out.model
for n in 100 200 500 900 1279; do
    exits 3 "the source dies after $n samples" "head -c $((n * $(wc -c <ex.ssl) / 1280)) ex.ssl | $resumed -o out.model"
    exits 1 "no model then" "test -e out.model"
done
ok "the whole source" "$resumed -o out.model <ex.ssl"
same whole.model out.model "equal after the source died five times"
ok "resume at the end" "$resumed -o out2.model <ex.ssl"
same whole.model out2.model "equal once more"

# --skip spares the work upstream.
src="ssl-load $FASHION --gray --split train --limit 640 --epochs 2 --shuffle"
ok "a checkpoint at 960" "$train --steps 40 --checkpoint k2 --checkpoint-every 30 -o s1.model <ex.ssl"
ok "on from --skip 960" "$src --skip 960 | ssl-pretext rotate | $train --steps 40 --checkpoint k2 --resume -o s2.model"
same s1.model s2.model "equal with --skip"
exits 3 "a skip too far" "$src --skip 961 | ssl-pretext rotate | $train --steps 40 --checkpoint k2 --resume -o s2.model"
says 'begins at position 961' "is named" "$src --skip 961 | ssl-pretext rotate | $train --steps 40 --checkpoint k2 --resume -o s2.model"

# Another pipeline's checkpoint is refused.
exits 3 "another seed" "$resumed --seed 5 -o x.model <ex.ssl"
says 'belongs to another pipeline' "is named" "$resumed --seed 5 -o x.model <ex.ssl"
exits 3 "another rate" "$resumed --lr 0.01 -o x.model <ex.ssl"
exits 3 "another source" "$src --seed 3 | ssl-pretext rotate | $resumed -o x.model"
cp whole.model k3
exits 3 "a model is no checkpoint" "$train --checkpoint k3 --resume -o x.model <ex.ssl"
head -c 5000 k >k4
exits 3 "a damaged checkpoint" "$train --checkpoint k4 --resume -o x.model <ex.ssl"
ok "without --resume it is replaced" "$train --checkpoint k4 --checkpoint-every 20 -o x.model <ex.ssl"
ok "a checkpoint is a model" "ssl-load $FASHION --gray --limit 10 | ssl-embed -m k4 | ssl-show --check"

end
