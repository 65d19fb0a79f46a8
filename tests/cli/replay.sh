# ssl-show --replay: the commands that it prints make the same bytes again.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"

# again NAME FILE: replayed, in the folder in which it was made.
again() {
    ok "$1: replays" "ssl-show --replay '$2' >again.sh && sh -n again.sh && sh again.sh >again 2>/dev/null"
    same "$2" again "$1: the same bytes"
}
images="ssl-load -q photos --split train --size 32"
train="ssl-train -q --encoder convnet --width 4 --batch 8"

ok "photographs" "photographs photos"
ok "a model" "$images --epochs 2 --shuffle --seed 7 | ssl-augment crop:32,pad=4 flip | ssl-pretext rotate | $train -o rot.model"
again "a model" rot.model
is "ssl-load ssl-augment ssl-pretext ssl-train" "commands" "ssl-show --replay rot.model | sed -n 's/^ *\(ssl-[a-z]*\) .*/\1/p' | paste -s -d ' '"
prints '^# source: photos \(folder\), digest [0-9a-f]{64}$' "what they rely on" "ssl-show --replay rot.model"
is "" "nothing else" "ssl-show --replay rot.model | grep -v '^#' | grep -E 'kind|samples,'; true"
ok "from a pipe" "cat rot.model | ssl-show --replay | cmp - again.sh"

for task in jigsaw:permutations=20 context:pairs=2 colorize colorize:target=ab inpaint inpaint:blocks,area=0.5 superres:4,enlarge=1 labels; do
    ok "examples" "$images --limit 4 | ssl-pretext $task >ex"
    again "$task" ex
done
ok "weights of a file" "$images --limit 4 | ssl-pretext --estimate colorize >'w 1.tsv' && $images --limit 4 | ssl-pretext 'colorize:weights=w 1.tsv' >ex"
again "weights of a file" ex
prints '^# weights: w 1\.tsv, digest [0-9a-f]{64}$' "the file and what is in it" "ssl-show --replay ex"
ok "weights that come with the program" "$images --limit 4 | ssl-pretext colorize >ex"
is "" "are no file" "ssl-show --replay ex | grep '^# weights'; true"
for task in rotate colorize colorize:target=ab; do
    for normalize in lab image none; do
        ok "examples" "$images --limit 4 | ssl-pretext --normalize $normalize $task >ex"
        again "$task, --normalize $normalize" ex
    done
done
ok "views" "$images --limit 6 --balance | ssl-augment --views 2 --seed 9 @simclr:32 >views"
again "views" views
ok "local views" "$images --limit 3 --classes cat,dog | ssl-augment --views 2+3 crop:24,scale=0.4-1 flip + crop:16,scale=0.1-0.4 >local || true; ssl-show --check local"
again "local views" local
ok "contrast" "ssl-pretext contrast <views | $train --chunk 4 --set temperature=0.2 --optimizer adamw --lr 1e-3 --schedule step:at=0.5 --warmup 1 --seed 3 --projector 16-8 -o c.model"
again "a model of saved views" c.model
ok "no more than a network" "ssl-train --encoder resnet10 --width 4 --steps 0 --input 24x16x1 -o input.model"
again "a network without images" input.model
ok "random" "$images | ssl-pretext rotate --normalize image | $train --steps 0 --no-bn-estimate -o random.model"
again "a random network" random.model
ok "started from another" "$images | ssl-pretext labels --seed 4 | $train --init rot.model --init-parts encoder -o fine.model"
again "a model from a model" fine.model
ok "embeddings" "ssl-load photos --size 40 --fit crop --background 102030 | ssl-embed -m fine.model --layer layer1,layer2 --keep >emb"
again "embeddings" emb
ok "pixels" "ssl-load photos --size 12 --gray | ssl-embed -m pixels | ssl-cluster -q -k 3 --pca 4 --init random --seed 5 >px"
again "clusters of pixels" px
ok "a checkpoint" "$images --epochs 4 | ssl-pretext rotate | $train --checkpoint c.ckpt --checkpoint-every 3 --steps 5 -o x.model"
exits 3 "is no end" "ssl-show --replay c.ckpt"
says 'middle of a training' "and says so" "ssl-show --replay c.ckpt"

# Names that a shell would read otherwise, and saved streams of saved streams.
ok "odd names" "mkdir \"it's \\\$x\" && cp -r photos \"it's \\\$x/a; b\" && ssl-load \"it's \\\$x/a; b\" --size 16 --split train >\"it's \\\$x/s 1\" &&
    ssl-load photos --size 16 --split test >'s;2' && ssl-load \"it's \\\$x/s 1\" 's;2' --shuffle --seed 2 >merged"
again "merged streams with odd names" merged
ok "a file that is gone is made again" "rm 's;2' && ssl-show --replay merged | sh | cmp - merged && [ -s 's;2' ]"
ok "a list" "find photos/train -name '*.ppm' -print0 | sort -z >list && ssl-load --files-from list -0 --size 8 >listed"
again "a list" listed
ok "from elsewhere" "ssl-convert emb -o emb.npz && ssl-convert emb.npz >npz"
again "a foreign file" npz
prints '^# source: emb\.npz \(npz\), digest [0-9a-f]{64}$' "its digest" "ssl-show --replay npz"

# DeepCluster: 50 rounds of models, assignments and even sampling. Parents are shared, so each adds as much as the last.
deep="env DATA=photos LOAD='--size 8' AUGMENT='crop:8,pad=1 flip' ENCODER=convnet WIDTH=4 TRAIN='--batch 8' START= LR=0.05 LAYER=embedding FIRST=embedding \
    CLUSTER='-k 4 --pca 8 --whiten --l2' PARTS=encoder BY=even ROUNDS=50 EPOCHS=1 STEPS=2 $SRC/pipelines/rounds 1 deep/model"
ok "50 rounds" "mkdir deep && $deep"
bytes() { od -An -tu1 -j 1 -N 4 "$1" | awk '{ print (($1 * 256 + $2) * 256 + $3) * 256 + $4 }'; }
is "same growth" "each round adds as many bytes to the header" "a=\$(bytes deep/model.rounds/20.model) b=\$(bytes deep/model.rounds/30.model) c=\$(bytes deep/model.rounds/40.model)
    d=\$(((c - b) - (b - a))); [ \${d#-} -lt 20 ] && echo same growth"
ok "far from the limits" "[ \$(bytes deep/model) -lt 200000 ]"
ok "replayed where nothing of it is" "ssl-show --replay deep/model >again.sh && mv deep was && sh again.sh >again"
same was/model again "50 rounds: the same bytes"
same was/model.rounds/50.clusters deep/model.rounds/50.clusters "its assignments too"
rm -r deep && mv was deep
again "assignments" deep/model.rounds/3.clusters

# What cannot be replayed says so.
ok "a stage in Python" "$images --limit 4 | /usr/bin/python3 $SRC/examples/python/dropped.py >py"
exits 3 "a stage in Python" "ssl-show --replay py"
says "cannot replay 'dropped.py'|no history" "by its name" "ssl-show --replay py"
# A history can be written by anybody; no more than our programs is run for it.
for key in operand format digest; do
    PYTHONPATH=$SRC/examples/python /usr/bin/python3 -B - $key >crafted <<'END'
import sys
from ssl_stream import Writer
source = {"operand": "photos", "format": "folder", "digest": "0", sys.argv[1]: "x\ntouch ran\n#"}
record = {"id": "0" * 16, "parameters": {"sources": [source]}, "parents": [], "seed": 0, "tool": "ssl-load", "version": "1"}
Writer(sys.stdout.buffer, {"kind": "images", "fields": {}, "classes": None, "distinct": 0, "count": 0, "seed": 0, "objective": None,
                           "input_transform": None, "history": [record]}).finish()
END
    ok "a line's end in a source's $key" "ssl-show --replay crafted >crafted.sh && { sh crafted.sh >/dev/null 2>&1; [ ! -e ran ]; }"
done
exits 2 "with another output" "ssl-show --replay --json rot.model"
exits 2 "two files" "ssl-show --replay rot.model c.model"
exits 3 "no stream" "ssl-show --replay list"
end
