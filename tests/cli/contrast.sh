# Contrastive learning: the task, the objective, a loss on given vectors.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"

ok "photographs" "photographs photos && ssl-load photos --size 16 --split train --epochs 2 --shuffle >images.ssl"
ok "views" "ssl-augment --views 2 @simclr-cifar:16 <images.ssl >views.ssl"
ok "examples" "ssl-pretext contrast <views.ssl >ex.ssl && ssl-show --check ex.ssl"
prints '^objective +name=contrast task=contrast' "the objective" "ssl-show ex.ssl"
prints 'input +\|u1 \[2,16,16,3\]' "the views are the input" "ssl-show ex.ssl"
exits 1 "and are not there twice" "ssl-show ex.ssl | grep -q 'views  *|u1'"
ok "-j 4" "ssl-pretext contrast -j 4 <views.ssl >ex4.ssl"
same ex.ssl ex4.ssl "threads do not matter"

exits 3 "one image is not enough" "ssl-pretext contrast <images.ssl"
says 'ssl-pretext: contrast: .*ssl-augment --views 2' "and the message says what to do" "ssl-pretext contrast <images.ssl"
exits 3 "nor one view" "ssl-augment --views 1 flip <images.ssl | ssl-pretext contrast"
exits 2 "no parameters" "ssl-pretext contrast:temperature=1 <views.ssl"

small="ssl-train -q --encoder convnet --width 4 --batch 12 --projector 16-8"
ok "training" "$small --log log --log-every 1 -o a.model <ex.ssl"
prints '"loss": [0-9.]+, "accuracy": ' "loss and accuracy in the log" "cat log"
prints 'temperature=0.5' "the temperature is recorded" "ssl-show a.model"
ok "another temperature" "$small --set temperature=0.1 -o b.model <ex.ssl"
prints 'temperature=0.1' "is recorded too" "ssl-show b.model"
exits 1 "and matters" "cmp -s a.model b.model"
exits 2 "a temperature of zero" "$small --set temperature=0 -o b.model <ex.ssl"
ok "again" "$small -o b.model <ex.ssl"
same a.model b.model "the same bits"
for j in 1 2; do ok "with $j threads" "$small -j $j -o j$j.model <ex.ssl"; done
ok "lars" "$small --optimizer lars:lr=1 -o b.model <ex.ssl"
ok "four views" "ssl-augment --views 4 @simclr-cifar:16 <images.ssl | ssl-pretext contrast | $small -o b.model"
ok "interrupted" "head -c 60000 ex.ssl | $small --batch 4 --checkpoint k --checkpoint-every 2 -o c.model; [ ! -e c.model ] && [ -s k ]"
ok "and resumed" "$small --batch 4 --checkpoint k --checkpoint-every 2 --resume -o c.model <ex.ssl && $small --batch 4 -o d.model <ex.ssl"
same c.model d.model "it ends where an unbroken run ends"
# A batch in chunks.
ok "chunks" "$small --chunk 5 --log log --log-every 1 -o c.model <ex.ssl"
prints 'chunk=5' "are recorded, for batch statistics are theirs" "ssl-show c.model"
ok "again" "$small --chunk 5 -o d.model <ex.ssl"
same c.model d.model "the same bits"
ok "interrupted and resumed" "rm -f k; head -c 60000 ex.ssl | $small --batch 8 --chunk 3 --checkpoint k --checkpoint-every 1 -o e.model; [ ! -e e.model ] && [ -s k ] &&
    $small --batch 8 --chunk 3 --checkpoint k --checkpoint-every 1 --resume -o e.model <ex.ssl && $small --batch 8 --chunk 3 -o f.model <ex.ssl"
same e.model f.model "ends where an unbroken run ends"
ok "with a monitor" "ssl-load photos --size 16 >mon.ssl; $small --chunk 5 --monitor mon.ssl --monitor-every 1 --log l2 --log-every 1 -o d.model <ex.ssl"
same c.model d.model "which changes nothing"
ok "nor the log" "grep -v monitor l2 | sed 's/, \"images_per.*//' >1; sed 's/, \"images_per.*//' log >2; cmp 1 2"
exits 2 "an objective that cannot" "ssl-pretext inpaint <images.ssl | ssl-train -q --encoder convnet --width 4 --batch 8 --chunk 4 -o d.model"
ok "the encoder embeds" "ssl-load photos --size 16 | ssl-embed -m a.model | ssl-show --check"

# Given vectors: identical ones cost ln(2N - 1), whatever the temperature; opposite pairs in one dimension have
# a value too: of 3 images with views +1 and -1, ln(2 + 3 e^(-2/t)) + 2/t.
cat >vectors.py <<'END'
import os, sys
sys.path.insert(0, os.path.join(os.environ["SRC"], "examples", "python"))
from ssl_stream import *
n, D, opposite = int(sys.argv[1]), int(sys.argv[2]), len(sys.argv) > 3
w = Writer(sys.stdout.buffer, {"kind": "examples", "count": n, "seed": 0, "history": [],
                               "fields": {"input": ["<f4", [2, D]]}, "objective": {"name": "contrast", "task": "given"}})
for i in range(n):
    x = np.full((2, D), 3, "<f4")
    x[1] *= -1 if opposite else 2
    w.put({"key": str(i), "input": x})
w.finish()
END
loss() { # N D TEMPERATURE [opposite]
    /usr/bin/python3 vectors.py "$1" "$2" ${4:-} | ssl-train -q --encoder identity --projector none --steps 1 \
        --batch "$1" --set temperature="$3" --log loss.json -o /dev/null
    sed 's/.*"loss": \([^,]*\),.*/\1/' loss.json
}
close() { awk "BEGIN { d = ($1) - ($2); exit !(d < 1e-9 && d > -1e-9) }"; }
if /usr/bin/python3 -c "import msgpack, numpy" 2>/dev/null; then
    ok "identical vectors" "close \$(loss 8 5 0.5) 'log(15)'"
    ok "at another temperature" "close \$(loss 8 5 0.01) 'log(15)'"
    ok "one image" "close \$(loss 1 4 0.5) 0"
    ok "opposite views" "close \$(loss 3 1 0.5 opposite) 'log(2 + 3 * exp(-4)) + 4'"
else
    skip "given vectors" "python3-msgpack and python3-numpy are not installed"
fi

end
