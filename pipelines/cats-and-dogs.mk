# If I pretrain on unlabelled cats and dogs, can the features tell a cat from a dog, and must the pretraining set be
# made of cats for that? (examples/cats-and-dogs.md is the answer.)
#: make -C pipelines cats-and-dogs            must the pretraining images be cats, to tell cats from dogs?
#
# Pretraining sets of IMAGES pictures each, all for the same number of steps: cats, dogs, both, the eight other classes,
# all ten; by rotation and by SimCLR. Beside them the same encoder with random weights, raw pixels, and the encoder
# trained on the labels of the cats and dogs. Each is asked one question: cat or dog? With all labels of the 10,000
# training images, with 100 of each, and with none: two clusters of k-means, named as suits them best. The classes of
# the pretraining sets choose the pictures and are not told to the network.
#
# Rotation's examples are four inputs: SimCLR's two views are seen twice as often, and one labelled picture four times,
# so that every network sees as many inputs, in about the same time. On one core a pretraining takes about three
# minutes, and a seed, which is eleven of them, 35.
IMAGES = 5000
default.ASK      = --classes cat,dog
default.PROBE    = --labels-per-class all,100
default.CLUSTERS = 2
default.EPOCHS   = 12
HELD = 4000

OTHERS := airplane,automobile,bird,deer,frog,horse,ship,truck
both   := cat,dog
cats   := cat
dogs   := dog
others := $(OTHERS)
all    := cat,dog,$(OTHERS)
sets   := cats dogs both others all
define system
$m-$c.BASE := $m
$m-$c.SELECT = --classes $($c) --limit $$(IMAGES) --balance
endef
$(foreach m,rotation simclr supervised,$(foreach c,$(sets),$(eval $(system))))
rotation.EPOCHS   = 12
simclr.EPOCHS     = 24
supervised.EPOCHS = 48
random.BASE       = rotation-both
SYSTEMS = $(foreach m,rotation simclr,$(sets:%=$m-%)) supervised-both random none
