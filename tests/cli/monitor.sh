# ssl-train --monitor, and the warning of collapse.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"

ok "photographs" "photographs photos && ssl-load photos --size 16 --split train --epochs 8 --shuffle | ssl-augment --views 2 crop:16,scale=0.4-1 flip | ssl-pretext contrast >ex.ssl
    ssl-load photos --size 16 >labelled.ssl"
small="ssl-train -q --encoder convnet --width 8 --batch 12 --projector 16-8"
ok "without" "$small --log log --log-every 4 -o a.model <ex.ssl"
ok "with a monitor" "$small --log mon --log-every 4 --monitor labelled.ssl --monitor-every 5 -o b.model <ex.ssl"
same a.model b.model "the model is the same"
is "4" "a line every five steps and at the end" "grep -c monitor_knn mon"
prints '^\{"step": 5, "monitor_knn": (0\.[0-9]+|1\.0)\}$' "its members" "cat mon"
ok "the rest of the log is as before" "grep -v monitor_knn mon | sed 's/, \"images_per.*//' >1; sed 's/, \"images_per.*//' log >2; cmp 1 2"
ok "the classes differ in brightness: neighbours find them" "tail -n 1 mon | sed 's/.*: \([0-9.]*\)}/\1/' | awk '{ exit !(\$1 > 0.6) }'"
says 'ssl-train: step 16: nearest neighbours are right on [0-9.]+ % of the monitored images' "a remark without a log" \
    "ssl-train --encoder convnet --width 8 --batch 12 --projector 16-8 --monitor labelled.ssl -o c.model <ex.ssl"
ok "of heads that put inputs side by side" "ssl-load photos --size 30 --split train --shuffle | ssl-pretext jigsaw:permutations=4,patch=8 >jig.ssl; ssl-load photos --size 8 >l8.ssl
    ssl-train -q --encoder convnet --width 4 --batch 6 --monitor l8.ssl --log mon -o d.model <jig.ssl && grep -q monitor_knn mon"
ok "one split only" "ssl-load photos --size 16 --split test >t.ssl; $small --monitor t.ssl --log mon -o c.model <ex.ssl && grep -q monitor_knn mon"
ok "resumed" "$small --log r --log-every 4 --monitor labelled.ssl --monitor-every 5 --checkpoint k --checkpoint-every 6 -o e.model <ex.ssl
    rm e.model; $small --log r --log-every 4 --monitor labelled.ssl --monitor-every 5 --checkpoint k --checkpoint-every 6 --resume -o e.model <ex.ssl"
is "4" "no line is there twice" "grep -c monitor_knn r"
ok "cats and dogs in turns" "for i in 0 1 2 3 4 5 6 7; do echo photos/train/cat/\$i.ppm'\t'cat; echo photos/train/dog/\$i.ppm'\t'dog; done >turns
    ssl-load --files-from turns --size 16 >turns.ssl && $small --monitor turns.ssl --log mon -o c.model <ex.ssl"
ok "are not dealt by turns" "tail -n 1 mon | sed 's/.*: \([0-9.]*\)}/\1/' | awk '{ exit !(\$1 > 0) }'"
exits 3 "one image of each class" "printf 'photos/train/cat/1.ppm\tcat\nphotos/train/dog/1.ppm\tdog\n' >one; ssl-load --files-from one --size 16 >one.ssl; $small --monitor one.ssl -o c.model <ex.ssl"
says "'one.ssl': no class has two images" "are too few" "$small --monitor one.ssl -o c.model <ex.ssl"
ok "a network that does not train" "ssl-train -q --encoder convnet --width 8 --batch 12 --steps 0 --monitor labelled.ssl --log zero -o z.model <ex.ssl"
prints '^\{"step": 0, "monitor_knn": ' "is looked at once" "cat zero"
ok "one without data too" "ssl-train -q --encoder convnet --width 8 --steps 0 --input 16x16x3 --monitor labelled.ssl --log zero -o z.model && grep -q 'step.: 0, .monitor_knn' zero"
exits 3 "images of another size" "ssl-load photos --size 8 >s.ssl; $small --monitor s.ssl -o c.model <ex.ssl"
says "'s.ssl': sample 0 'test/cat/0.ppm': the image is 8 x 8 x 3 where the network's input is 16 x 16 x 3" "are named" "$small --monitor s.ssl -o c.model <ex.ssl"
exits 3 "a stream of another kind" "$small --monitor ex.ssl -o c.model <ex.ssl"
exits 3 "no classes" "mkdir bare; cp photos/train/cat/1.ppm photos/train/dog/2.ppm bare; ssl-load bare --size 16 >n.ssl; $small --monitor n.ssl -o c.model <ex.ssl"
exits 1 "no such file" "$small --monitor none -o c.model <ex.ssl"

# Images that are all the same leave nothing to tell apart.
ok "one image many times" "mkdir same; for i in 1 2 3 4 5 6 7 8; do cp photos/train/cat/1.ppm same/\$i.ppm; done
    ssl-load same --size 16 --epochs 4 | ssl-pretext rotate >same.ssl; ssl-load same --size 16 --epochs 4 | ssl-augment --views 2 flip:p=0 | ssl-pretext contrast >con.ssl"
says 'warning: the embeddings have collapsed at step 2: they spread [0-9.e-]+ of an even spread \(warned of below 0.05\), over 1 dimensions \(below 1.5\)' "is told" \
    "ssl-train --encoder convnet --width 4 --batch 8 --log-every 2 -o c.model <con.ssl"
is "1" "once" "ssl-train --encoder convnet --width 4 --batch 8 --log-every 1 -o c.model <con.ssl 2>&1 | grep -c collapsed"
is "0" "one image has nothing to spread over" "ssl-train --encoder convnet --width 4 --batch 1 --log-every 1 -o c.model <same.ssl 2>&1 | grep -c collapsed || true"
is "0" "and not of a sound training" "ssl-train --encoder convnet --width 8 --batch 12 --log-every 1 -o c.model <ex.ssl 2>&1 | grep -c collapsed || true"

end
