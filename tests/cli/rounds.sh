# pipelines/rounds, as deepcluster and selflabel are trained, at a small size: killed and given again, it ends as if unbroken.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"

ok "photographs" "photographs photos"
small="env DATA=photos LOAD='--size 12' AUGMENT='crop:12,pad=2 flip' ENCODER=convnet WIDTH=4 TRAIN='--batch 8 -j 1' LR=0.05 ROUNDS=4 EPOCHS=1 STEPS="
deep="$small START= LAYER=embedding FIRST=embedding CLUSTER='-k 4 --pca 8 --whiten --l2' PARTS=encoder BY=even $SRC/pipelines/rounds 1 x/deep.model"
self="$small START='--projector 8' LAYER=head.0,head.1 FIRST=projector CLUSTER='-m sinkhorn --lambda 10 --heads 2' PARTS=encoder+heads BY= \
    $SRC/pipelines/rounds 1 s/self.model"

exits 2 "usage" "$SRC/pipelines/rounds 1"
for bad in "ROUNDS=0" "ROUNDS=two" "LR=fast" "LR=0" "STEPS=0"; do
    exits 2 "$bad" "$(printf '%s' "$deep" | sed "s|$SRC|$bad $SRC|")"
done
exits 2 "a seed that is octal" "$(printf '%s' "$deep" | sed 's|rounds 1 |rounds 08 |')"
ok "deepcluster" "mkdir x && $deep && cp -rp x a"
ok "its model" "ssl-show --check a/deep.model"
is "5" "a line for each round, and the names" "grep -c . a/deep.model.tsv"
prints '^4	0	kmeans	4	24	.*	[01]\.[0-9]*$' "with the agreement with the round before" "cat a/deep.model.tsv"
is "4 4" "the log of each round, and the seconds of its clustering" "echo \$(grep -c clustering_seconds a/deep.model.log) \$(grep -c '\"step\": 3,' a/deep.model.log)"
is "12	96" "all rounds count" "$SRC/pipelines/figures a/deep.model.log | cut -f 3,4"
ok "given again, it does nothing" "ls -l --time-style=full-iso x/deep.model.rounds >1; $deep; ls -l --time-style=full-iso x/deep.model.rounds >2; cmp 1 2"

# The history grows by the same number of records in each round.
records() { ssl-show "$1" | grep -c '^ *\(history \)\? *\[[0-9]*\] ssl-'; }
ok "history" "r2=\$(records a/deep.model.rounds/2.model) r3=\$(records a/deep.model.rounds/3.model) r4=\$(records a/deep.model.rounds/4.model)
    echo \$r2 \$r3 \$r4; [ \$r2 -gt 0 ] && [ \$((r4 - r3)) = \$((r3 - r2)) ] && [ \$((r4 - r3)) -le 7 ]"

# Killed at several moments, then whole.
# (In the same folder: the history tells the names of the files.)
ok "killed now and again" "rm -r x; mkdir x
    for pause in 0.3 0.7 1.1 1.9; do
        setsid sh -c \"$(printf '%s' "$deep" | sed 's/"/\\"/g')\" >/dev/null 2>&1 & p=\$!
        sleep \$pause; kill -s KILL -- -\$p 2>/dev/null; wait \$p
    done; true"
ok "and given again" "$deep"
for t in 1 2 3 4; do
    same a/deep.model.rounds/$t.model x/deep.model.rounds/$t.model "round $t ends in the same model"
done

# Stopped in the middle of a round: what is whole is not made again.
ok "only a last round is missing" "rm x/deep.model.rounds/4.* x/deep.model; ls -l --time-style=full-iso x/deep.model.rounds/[0-3].* >1
    $deep; ls -l --time-style=full-iso x/deep.model.rounds/[0-3].* >2; cmp 1 2"
same a/deep.model x/deep.model "and comes out the same"

# A limit draws the same images in every round.
ok "some of the images" "mkdir l && $(printf '%s' "$deep" | sed "s|--size 12|--size 12 --limit 13|; s|x/deep|l/deep|")"
is "13 13 13 13" "in each round" "echo \$(cut -f 5 l/deep.model.tsv | tail -n 4)"
ok "are the same" "for t in 1 2 3 4; do ssl-show -n 99 l/deep.model.rounds/\$t.clusters | sed -n 's/.* key \([^ ]*\) .*/\1/p' | sort >k\$t; cmp k1 k\$t || exit 1; done"

ok "selflabel" "mkdir s && $self"
prints '^4	0	sinkhorn	4	24	' "rounds" "cat s/self.model.tsv"
prints 'heads=2' "two heads" "ssl-show s/self.model"
prints 'layer=head.0,head.1' "whose logits are clustered" "ssl-show s/self.model"
prints 'init_parts=encoder\+heads' "and which are kept" "ssl-show s/self.model"

end
