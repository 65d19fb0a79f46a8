# What each guard against shortcuts is worth: every task with all its guards, and then with one of them off; how well the
# task itself is solved, and what the encoder is worth. About 3 minutes of two cores a network and seed.
#
# One seed, 90,000 images each (BUDGET=90000images): without the gap puzzles are solved twice as often (74 %, 33 with it)
# and their features are worth 4.5 points less; unnormalised patches cost 4.4, and context without jitter, or without
# degrading, 2.4. Some guards cost accuracy at this size: rebalanced colours 1.9, dropped ones 1.9 (of context). The rest
# is within 2 points, of which half a point to one is chance.
#: make -C pipelines guards-cifar10 SEEDS=1   what each guard against shortcuts is worth
jigsaw.EPOCHS     = 4
jigsaw.PRETEXT    = jigsaw:permutations=100
context.EPOCHS    = 5
colorize.EPOCHS   = 5
colorize.TRAIN    = --optimizer adamw --lr 2e-3
inpaint.EPOCHS    = 4
inpaint.PRETEXT   = inpaint

jigsaw-no-gap.PRETEXT        = jigsaw:permutations=100,patch=16
jigsaw-no-jitter.PRETEXT     = jigsaw:permutations=100,jitter=0
jigsaw-no-shift.PRETEXT      = jigsaw:permutations=100,shift=0
jigsaw-no-gray.PRETEXT       = jigsaw:permutations=100,gray=0
jigsaw-not-normalised.PRETEXT = jigsaw:permutations=100 --normalize imagenet
context-no-gap.PRETEXT       = context:pairs=4,gap=0
context-no-jitter.PRETEXT    = context:pairs=4,jitter=0
context-no-degrading.PRETEXT = context:pairs=4,degrade=0
context-no-dropping.PRETEXT  = context:pairs=4,drop=0
context-not-normalised.PRETEXT = context:pairs=4 --normalize imagenet
colorize-no-rebalancing.PRETEXT = colorize:weights=none
colorize-gray-kept.PRETEXT   = colorize:gray=0
colorize-regression.PRETEXT  = colorize:target=ab
inpaint-no-overlap.PRETEXT   = inpaint:overlap=0

tasks    := jigsaw context colorize inpaint
variants := $(foreach t,$(tasks),$(t)-random $(patsubst %.PRETEXT,%,$(filter $t-%.PRETEXT,$(.VARIABLES))))
# Each task has a random network of its own, which sees images as that task's does.
define guard
$t.GROUP := $t
$t-random.STEPS := 0
$t-random.LABEL := random
endef
$(foreach t,$(tasks),$(eval $(guard)))
$(foreach v,$(variants),$(eval $v.BASE := $(firstword $(subst -, ,$v))))
SYSTEMS = $(tasks) $(sort $(variants))
