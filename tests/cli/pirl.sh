# PIRL: the task, its patches, training with a memory bank that checkpoints keep.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"

ok "photographs" "photographs photos && ssl-load photos --size 24 --split train --epochs 3 --shuffle >images.ssl && ssl-augment --views 2 crop:24,pad=2 flip <images.ssl >views.ssl"
ok "examples" "ssl-pretext pirl <views.ssl >ex.ssl && ssl-show --check ex.ssl"
prints '^objective +name=nce-bank task=pirl' "the objective" "ssl-show ex.ssl"
prints 'input +\|u1 \[1,24,24,3\]' "one input" "ssl-show ex.ssl"
prints 'patches +\|u1 \[9,8,8,3\]' "nine patches, of a third of the image" "ssl-show ex.ssl"
ok "-j 4" "ssl-pretext pirl -j 4 <views.ssl >ex4.ssl"
same ex.ssl ex4.ssl "threads do not matter"
ok "of the image itself" "ssl-pretext pirl <images.ssl | ssl-show --check"
ok "with another seed" "ssl-pretext pirl --seed 4 <views.ssl >o.ssl"
exits 1 "in another order" "cmp -s ex.ssl o.ssl"
exits 3 "three views" "ssl-augment --views 3 flip <images.ssl | ssl-pretext pirl"
exits 3 "patches larger than a ninth" "ssl-pretext pirl:patch=9 <images.ssl"
exits 3 "images too small" "ssl-load photos --size 16 | ssl-pretext pirl"
says 'pirl: patches of 5 pixels are below the 8' "are told" "ssl-load photos --size 16 | ssl-pretext pirl >x"

small="ssl-train -q --encoder convnet --width 4 --batch 6 --projector 8 --set negatives=10"
ok "training" "$small --log log --log-every 1 -o a.model <ex.ssl"
prints 'negatives=10' "parameters are recorded" "ssl-show a.model"
prints 'patch.weight' "the patches' layer is in the model" "ssl-show a.model"
prints 'jigsaw.weight' "and the one for all of them" "ssl-show a.model"
exits 1 "a model has no bank" "ssl-show a.model | grep -q objective.bank"
ok "again" "$small -o b.model <ex.ssl"
same a.model b.model "the same bits"
ok "the patches' layers are trained" "$small --steps 0 --no-bn-estimate -o r.model <ex.ssl
    for t in patch.weight jigsaw.weight jigsaw.bias encoder.conv1.weight projector.0.weight; do
        one() { ssl-show -n 1000 \$1 | grep -A 1 \"key *\$t\\|^ *\$t \" | grep '<f4'; }
        [ \"\$(one a.model)\" ] && [ \"\$(one a.model)\" != \"\$(one r.model)\" ] || { echo \$t; exit 1; }
    done"
ok "a checkpoint" "$small --checkpoint k --checkpoint-every 5 --steps 7 -o c.model <ex.ssl"
prints 'objective.bank +<f4 \[24,8\]' "has the memories" "ssl-show -n 1000 k"
ok "interrupted and resumed" "head -c 90000 ex.ssl | $small --checkpoint q --checkpoint-every 3 -o d.model; [ ! -e d.model ] && [ -s q ] &&
    $small --checkpoint q --checkpoint-every 3 --resume -o d.model <ex.ssl"
same a.model d.model "ends where an unbroken run ends, memories and all"
ok "in chunks" "$small --chunk 2 --log chunked --log-every 1 -o e.model <ex.ssl && [ \$(grep -c step chunked) = \$(grep -c step log) ]"
ok "the encoder embeds" "ssl-load photos --size 24 | ssl-embed -m a.model | ssl-show --check"
exits 3 "a stream that does not know how many images there are" "ssl-load - <images.ssl --split train | ssl-pretext pirl | $small --steps 2 -o e.model"
exits 3 "objective patches that are not there" "$small --set patches=4 -o e.model <ex.ssl"
exits 2 "a weight above 1" "$small --set weight=2 -o e.model <ex.ssl"

end
