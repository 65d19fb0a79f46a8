# ssl-train: models, options, logs.
. "$(dirname "$0")/lib.sh"

images="ssl-load $FASHION --gray --split train --limit 300 --shuffle"
examples="$images | ssl-augment crop:28,pad=3 flip | ssl-pretext rotate"
ok "examples to a file" "$examples >ex.ssl"
small="ssl-train --encoder convnet --width 4 --batch 32"

ok "a model" "$small -o a.model <ex.ssl"
prints '^kind +model' "its kind" "ssl-show <a.model"
prints 'encoder=convnet width=4' "its architecture" "ssl-show <a.model"
ok "a whole stream" "ssl-show --check <a.model"
ok "the same again" "$small -o b.model <ex.ssl"
same a.model b.model "two runs of one command are equal"
ok "to standard output" "$small <ex.ssl >c.model"
same a.model c.model "-o and standard output are equal"
ok "to -" "$small -o - <ex.ssl >c.model"
ok "another seed" "$small --seed 7 -o c.model <ex.ssl"
exits 1 "is another model" "cmp -s a.model c.model"
ok "a fifo" "mkfifo f; timeout 30 cat f >d.model & $small -o f <ex.ssl; wait"
same a.model d.model "through a fifo"

# Threads: each count gives the same bits twice.
for j in 1 2; do
    ok "-j $j" "$small -j $j -o j1.model <ex.ssl && $small -j $j -o j2.model <ex.ssl"
    same j1.model j2.model "-j $j twice"
done

# The log: lines of JSON.
ok "a log" "$small --log log --log-every 2 -o e.model <ex.ssl"
is "5" "every other step and the last" "grep -c . log"
prints '^\{"step": 2, "epoch": 0, "images": 64, "loss": [0-9.]+, "accuracy": 0\.[0-9]+, "lr": [0-9.e-]+, "grad_norm": [0-9.e-]+, "embedding_std": [0-9.e-]+, "effective_rank": [0-9.]+, "images_per_second": [0-9.]+, "memory_mib": [0-9.]+\}$' \
    "its members" "cat log"
ok "a log on standard error" "echo kept >both; $small --log /dev/stderr -o e.model <ex.ssl 2>>both; grep -q kept both && grep -q step both"
same a.model e.model "logging changes nothing"
ok "a profile" "$small --profile -o e.model <ex.ssl"
says 'GFLOP/s' "a table" "$small --profile -o e.model <ex.ssl"
$small --profile -q -o e.model <ex.ssl 2>profile
ok "its shares add up to the whole" "awk '\$6 == \"layers\" || / all layers/ { next } NF > 5 && \$1 ~ /^[0-9.]+\$/ { s += \$2 } END { exit !(s > 98 && s < 102) }' profile"
ok "every convolution has a speed" "! awk '/conv/ && !(\$3 > 0)' profile | grep -q ."
ok "the peak" "grep -q '^peak: [1-9]' profile"

# Learning: the loss of classes falls well below that of guessing among ten.
ok "labels" "ssl-load $FASHION --gray --split train --limit 2000 --epochs 2 --shuffle | ssl-pretext labels >lab.ssl"
ok "identity trains a multinomial regression" \
    "ssl-train --encoder identity --optimizer sgd:nesterov=0 --lr 0.01 --batch 50 --log log -o lin.model <lab.ssl"
ok "and learns" "tail -n 1 log | sed 's/.*\"accuracy\": \([0-9.]*\).*/\1/' | awk '{exit !(\$1 > 0.7)}'"
for opt in adamw lars sgd:momentum=0; do
    ok "optimizer $opt" "ssl-train --encoder convnet --width 4 --batch 32 --optimizer $opt --log log.$opt -o o.model <lab.ssl"
    ok "optimizer $opt learns" "tail -n 1 log.$opt | sed 's/.*\"loss\": \([0-9.]*\).*/\1/' | awk '{exit !(\$1 < 2.1)}'"
done
ok "every encoder trains" 'for e in resnet10 resnet18 resnet20; do
    ssl-train --encoder $e --width 4 --batch 16 --steps 2 -o e.model <ex.ssl || exit 1; done'
ok "with a 7x7 stem" "ssl-train --encoder resnet10 --width 4 --stem 7x7 --batch 16 --steps 2 -o e.model <ex.ssl"
prints 'stem=7x7' "which the model records" "ssl-show <e.model"
ok "with a projector" "ssl-train --encoder resnet10 --width 4 --projector 16-8 --batch 16 --steps 2 -o e.model <ex.ssl"
prints 'projector.3.weight +<f4 \[8,16\]' "which has its weights" "ssl-show <e.model"
ok "schedules" 'for s in constant cosine step step:factor=0.5,at=0.5; do $small --schedule $s -o e.model <ex.ssl || exit 1; done'
prints 'schedule=step:factor=0.5,at=0.5' "recorded in full" "ssl-show <e.model"
ok "parameters of the objective" "$small --set label_smoothing=0.1 -o e.model <ex.ssl"
prints 'label_smoothing=0.1' "recorded too" "ssl-show <e.model"

# Steps.
ok "--steps stops early, and so may the source" \
    "ssl-load $FASHION --gray --split train --epochs inf --shuffle | ssl-pretext rotate | $small --steps 3 -o e.model"
exits 2 "a schedule needs a length" "ssl-load $FASHION --gray --epochs inf | ssl-pretext rotate | $small -o e.model"
says 'give --steps N' "and says so" "ssl-load $FASHION --gray --epochs inf | ssl-pretext rotate | $small -o e.model"
says 'the input ended after 9 of 20 steps' "a warning when the input is short" "$small --steps 20 -o e.model <ex.ssl"
ok "fewer samples than a batch make one step" "$small --batch 1000 --log log -o e.model <ex.ssl && grep -q '\"step\": 1,' log"
says "split 'test'" "a warning of the test split" \
    "ssl-load $FASHION --gray --split test --limit 64 | ssl-pretext rotate | $small -o e.model"
is "" "none for train" "$small -o e.model <ex.ssl 2>&1"

# The random network.
ok "random init" "$small --steps 0 -o r.model <ex.ssl"
ok "random init without statistics" "$small --steps 0 --no-bn-estimate -o r0.model <ex.ssl"
prints 'running_var +<f4 \[4\] +1 1 1 1$' "which are 1" "ssl-show -n 5 <r0.model"
exits 1 "and estimated otherwise" "ssl-show -n 5 <r.model | grep -q 'running_var.* 1 1 1 1$'"
ok "without input" "$small --steps 0 --input 28x28x1 -o n.model </dev/null"
prints 'input=\[28, 28, 1\]' "of that size" "ssl-show <n.model"
exits 2 "--input needs --steps 0" "$small --input 28x28x1 -o n.model"

# From a model.
ok "init from an encoder" "$small --steps 0 --init a.model -o i.model <ex.ssl"
prints 'init_parts=encoder' "in the history" "ssl-show <i.model"
ok "init with heads" "$small --steps 0 --init a.model --init-parts encoder+heads -o i.model <ex.ssl"
exits 3 "a model has no optimiser's state" "$small --init a.model --init-parts all -o i.model <ex.ssl"
says "no tensor 'optimizer.momentum.encoder.conv1.weight'" "and that is said" "$small --init a.model --init-parts all -o i.model <ex.ssl"
ok "a checkpoint has it" "$small --checkpoint k --checkpoint-every 4 -o i.model <ex.ssl && $small --init k --init-parts all -o i.model <ex.ssl"
exits 3 "another width does not fit" "ssl-train --encoder convnet --width 8 --init a.model -o i.model <ex.ssl"
says "encoder.conv1.weight' is <f4 \[4,1,3,3\]; expected <f4 \[8,1,3,3\]" "and that is said" \
    "ssl-train --encoder convnet --width 8 --init a.model -o i.model <ex.ssl"

# The command line.
for bad in '--encoder resnet1' '--stem 5x5' '--optimizer adam' '--optimizer sgd:beta1=1' '--schedule linear' '--projector 0' \
    '--encoder identity --width 4' '--encoder resnet20 --stem 7x7' '--projector 8-' '--init-parts head' '--resume' '--batch 0' '--set label_smoothing' '--optimizer adamw --momentum 0.5'; do
    exits 2 "$bad" "ssl-train $bad -o e.model <ex.ssl"
done
exits 2 "an unknown parameter" "$small --set temperature=0.5 -o e.model <ex.ssl"
says "no parameter 'temperature'" "is named" "$small --set temperature=0.5 -o e.model <ex.ssl"
ok "--list" "ssl-train --list | grep -q resnet50"
ok "--help" "ssl-train --help | grep -q checkpoint-every"

# Previews.
ok "examples to draw" "ssl-load $FASHION --gray --split train --limit 96 | ssl-pretext inpaint >inpaint.ssl"
ok "previews" "$small --batch 32 --preview sheets --preview-every 2 -o p.model <inpaint.ssl"
is "step-0000002.png step-0000003.png" "every two steps and at the end" "ls sheets | paste -s -d ' '"
is "89504e47" "they are PNG" "head -c 4 sheets/step-0000003.png | od -An -tx1 | tr -d ' '"
ok "the same model without" "$small --batch 32 -o q.model <inpaint.ssl"
same p.model q.model "previews change nothing"
exits 2 "classes are no pictures" "$small --preview sheets -o r.model <ex.ssl"
exits 1 "a folder that cannot be" "$small --preview ex.ssl/sheets -o r.model <inpaint.ssl"
says "cannot create 'ex.ssl/step-0000000.png" "a file in its place, before the training" "$small --preview ex.ssl -o r.model <inpaint.ssl"
says "warning: no previews from step [123] on: cannot create 'gone/step" "a folder that goes away is not worth the training" \
    "{ head -c 60000 inpaint.ssl; until [ -d gone ]; do sleep 0.1; done; sleep 0.5; rm -r gone; tail -c +60001 inpaint.ssl; } |
    ssl-train --encoder convnet --width 4 --batch 32 --preview gone --preview-every 1 -o gone.model"
same gone.model q.model "which goes on"

# An input that holds less than its header said: after the last step there is a line and a sheet all the same.
ok "images, one of them damaged" "ssl-load $FASHION --split train --limit 40 | ssl-convert -o some/ &&
    echo no image >\"\$(find some -type f | sort | head -n 1)\""
ok "fewer than the header said" "ssl-load some --gray --size 28 --on-error=skip | ssl-pretext inpaint |
    $small --batch 20 --preview few --log few.log -o r.model"
is "step-0000001.png" "a sheet after the last step" "ls few"
prints '^\{"step": 1, ' "and a line" "cat few.log"
ok "more steps than there are" "$small --batch 32 --steps 5 --log five.log --log-every 2 -o r.model <inpaint.ssl"
is "2 3" "a line there too, once" "sed 's/^{\"step\": \([0-9]*\),.*/\1/' five.log | paste -s -d ' '"
end
