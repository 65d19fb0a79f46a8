# ssl-train: what can go wrong here alone; damaged streams, signals and full disks are in faults-*.sh.
. "$(dirname "$0")/lib.sh"

ok "examples" "ssl-load $FASHION --gray --split train --limit 100 | ssl-pretext rotate >ex.ssl"
train="ssl-train --encoder convnet --width 4 --batch 16 -o m"

# The loss leaves the numbers: where is said, and there is no model.
echo old >m
ok "classes" "ssl-load $FASHION --gray --split train --limit 640 | ssl-pretext labels >lab.ssl"
wild="ssl-train --encoder identity --batch 16 --lr 1e6 --momentum 0.99 --weight-decay 1000 -o m"
exits 1 "a rate far too high" "$wild <lab.ssl"
says "the (loss|gradient) is (nan|infinite) at step [0-9]+, epoch 0, .* 'train/" "says where" "$wild <lab.ssl"
is old "the old model stays" "cat m"

# Samples that the objective cannot take.
python=/usr/bin/python3
# examples HEADER_FIELDS LAST_SAMPLE OBJECTIVE [COUNT], as Python.
examples() {
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$SRC/examples/python $python - "$@" <<'EOF' >made.ssl
import sys
import numpy as np, ssl_stream
u1 = lambda *shape: np.zeros(shape, "|u1")
i4 = lambda *values: np.array(values, "<i4")
f4 = lambda *values: np.array(values, "<f4")
good = {"input": u1(2, 8, 8, 3), "target": i4(0, 1)}
fields, last, objective, count = [eval(a) for a in sys.argv[1:]]
w = ssl_stream.Writer(sys.stdout.buffer, {"kind": "examples", "fields": fields, "count": count, "seed": 0,
                                          "objective": objective, "history": []})
for i in range(count):
    w.put({"key": "k%d" % i, **(last if i == count - 1 else good)})
w.finish()
EOF
}
fields='{"input": ["|u1", [2, 8, 8, 3]], "target": ["<i4", [2]]}'
classify='{"name": "classify", "task": "t", "classes": 3, "parameters": {}}'
# bad RE HEADER_FIELDS LAST_SAMPLE OBJECTIVE [COUNT]: exit 3 and that message.
bad() {
    ok "making: $1" "examples '$2' '$3' '$4' ${5:-4}"
    exits 3 "refused: $1" "$train --batch 2 <made.ssl"
    says "^ssl-train: .*$1" "said: $1" "$train --batch 2 <made.ssl"
}
if $python -c 'import msgpack, numpy' 2>/dev/null; then
    ok "making a good stream" "examples '$fields' 'good' '$classify' 4"
    ok "which trains" "$train --batch 2 <made.ssl"
    bad "'k3'.*target 3 is not below the 3 classes" "$fields" '{**good, "target": i4(0, 3)}' "$classify"
    bad "'k3'.*'target'" "$fields" '{"input": good["input"]}' "$classify"
    bad "'k3'.*'input' is \[2,9,8,3\] where" "$fields" '{**good, "input": u1(2, 9, 8, 3)}' "$classify"
    bad "'k3'.*'target'.*<i4" "$fields" '{**good, "target": f4(0, 1)}' "$classify"
    bad "2 inputs an image need 2 targets, not 3" '{"input": ["|u1", [2, 8, 8, 3]], "target": ["<i4", [3]]}' 'good' "$classify"
    bad "channels; expected 1 or 3" '{"input": ["|u1", [2, 8, 8, 4]], "target": ["<i4", [2]]}' 'good' "$classify"
    bad "declares no tensor 'target'" '{"input": ["|u1", [2, 8, 8, 3]]}' 'good' "$classify"
    bad "declares no objective" "$fields" 'good' 'None'
    bad "unknown objective 'clasify'" "$fields" 'good' '{"name": "clasify"}'
    bad "number of 'classes'" "$fields" 'good' '{"name": "classify", "task": "t"}'
    bad "no parameter 'smooth'" "$fields" 'good' '{"name": "classify", "classes": 3, "parameters": {"smooth": 1}}'
    bad "'label_smoothing' is 2, not between" "$fields" 'good' '{"name": "classify", "classes": 3, "parameters": {"label_smoothing": 2}}'
    bad "the stream holds no samples" "$fields" 'good' "$classify" 0
    bad "the stream holds no samples" '{"input": ["|u1", [2, -1, 8, 3]], "target": ["<i4", [2]]}' 'good' "$classify" 0
else
    skip "examples made in Python" "python3-msgpack and python3-numpy are not installed"
fi

# A failure goes on down the pipe, with one message.
is "1" "an abort on standard output" "{ ssl-load $FASHION --gray --limit 5 | ssl-train | ssl-show; } 2>&1 | grep -c ."
exits 0 "a reader that has gone" "{ ssl-train --encoder resnet18 --steps 1 --batch 2 <ex.ssl; echo \$? >status; } | head -c 1000 >h; exit \$(cat status)"

# Files that cannot be written.
exits 1 "no such folder" "ssl-train -o none/m <ex.ssl"
exits 1 "no such folder for checkpoints" "$train --checkpoint none/k --checkpoint-every 1000 --log first <ex.ssl"
exits 1 "is said before the first step" "grep -q step first"
exits 1 "no such folder for the log" "$train --log none/l <ex.ssl"
exits 1 "a log on a full device" "$train --log /dev/full --log-every 1 <ex.ssl"

end
