# pipelines/deepcluster and pipelines/selflabel, at a small size: killed and given again, they end as if unbroken.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"

ok "photographs" "photographs photos"
small="env CIFAR10=photos LOAD='--size 12' AUGMENT='crop:12,pad=2 flip' ENCODER=convnet WIDTH=4 HELD=24 ROUNDS=4"
deep="$small TRAIN='--batch 8 -j 1' CLUSTER='-k 4 --pca 8 --whiten --l2' $SRC/pipelines/deepcluster 1"
self="$small TRAIN='--batch 8 -j 1' HEADS=2 CLASSES=4 $SRC/pipelines/selflabel 1"

ok "deepcluster" "OUT=\$PWD/x RESULTS=\$PWD/tx/results $deep && cp -rp x a"
ok "its model" "ssl-show --check a/deepcluster.1.model"
is "5" "a line for each round, and the names" "grep -c . a/deepcluster.1.rounds.tsv"
prints '^4	0	kmeans	4	24	.*	[01]\.[0-9]*$' "with the agreement with the round before" "cat a/deepcluster.1.rounds.tsv"
prints '^cifar10	deepcluster	convnet-4	1	1	' "measured" "cat tx/results/deepcluster.1.tsv"
prints '^cifar10	random	convnet-4	' "against the untrained encoder" "cat tx/results/deepcluster.1.tsv"
ok "given again, it does nothing" "ls -l --time-style=full-iso x/deepcluster.1 >1; OUT=\$PWD/x RESULTS=\$PWD/tx/results $deep; ls -l --time-style=full-iso x/deepcluster.1 >2; cmp 1 2"

# The history grows by the same number of records in each round.
records() { ssl-show "$1" | grep -c '^ *\(history \)\? *\[[0-9]*\] ssl-'; }
ok "history" "r2=\$(records a/deepcluster.1/2.model) r3=\$(records a/deepcluster.1/3.model) r4=\$(records a/deepcluster.1/4.model)
    echo \$r2 \$r3 \$r4; [ \$r2 -gt 0 ] && [ \$((r4 - r3)) = \$((r3 - r2)) ] && [ \$((r4 - r3)) -le 7 ]"

# Killed at several moments, then whole.
# (In the same folder: the history tells the names of the files.)
ok "killed now and again" "rm -r x tx; export OUT=\$PWD/x RESULTS=\$PWD/tx/results
    for pause in 0.3 0.7 1.1 1.9; do
        setsid sh -c \"$(printf '%s' "$deep" | sed 's/"/\\"/g')\" >/dev/null 2>&1 & p=\$!
        sleep \$pause; kill -KILL -- -\$p 2>/dev/null; wait \$p
    done; true"
ok "and given again" "OUT=\$PWD/x RESULTS=\$PWD/tx/results $deep"
for t in 1 2 3 4; do
    same a/deepcluster.1/$t.model x/deepcluster.1/$t.model "round $t ends in the same model"
done

# Stopped in the middle of a round: what is whole is not made again.
ok "only a last round is missing" "rm x/deepcluster.1/4.* x/deepcluster.1.model tx/results/*; ls -l --time-style=full-iso x/deepcluster.1/[0-3].* >1
    OUT=\$PWD/x RESULTS=\$PWD/tx/results $deep; ls -l --time-style=full-iso x/deepcluster.1/[0-3].* >2; cmp 1 2"
same a/deepcluster.1.model x/deepcluster.1.model "and comes out the same"

ok "selflabel" "OUT=\$PWD/s RESULTS=\$PWD/ts/results $self"
prints '^4	0	sinkhorn	4	24	' "rounds" "cat s/selflabel.1.rounds.tsv"
prints 'heads=2' "two heads" "ssl-show s/selflabel.1.model"
prints 'layer=head.0,head.1' "whose logits are clustered" "ssl-show s/selflabel.1.model"
prints 'init_parts=encoder\+heads' "and which are kept" "ssl-show s/selflabel.1.model"

end
