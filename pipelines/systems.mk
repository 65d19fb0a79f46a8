# The published systems, at the scale of two cores, on CIFAR-10: a paragraph each, of what differs from the
# defaults. `make -C pipelines rotation-cifar10` runs one of them against its baselines; `make -n` shows the
# commands.

default.ENCODER  = resnet10
default.WIDTH    = 16
default.SIZE     = 32
default.LOAD     =# further options of ssl-load, for all images
default.SELECT   =# and for the images of pretraining alone
default.VIEWS    =
default.AUGMENT  = crop:$(size),pad=4 flip
default.PRETEXT  = rotate
default.TRAIN    =# further options of ssl-train
default.BATCH    = 128
default.EPOCHS   = 10
default.EMBED    =# further options of ssl-embed
default.PROBE    =# further options of ssl-probe
default.CLUSTERS =# of k-means, to be compared with the classes

# The augmentations of contrastive learning, which clustering shares.
STRONG = flip jitter:0.4,0.4,0.4,0.1,p=0.8 gray:p=0.2

# Rotation: Gidaris, Singh and Komodakis, "Unsupervised representation learning by predicting image
# rotations", ICLR 2018.
rotation.PRETEXT = rotate

# Jigsaw puzzles: Noroozi and Favaro, "Unsupervised learning of visual representations by solving jigsaw
# puzzles", ECCV 2016. Images are enlarged to 48 pixels, so that patches have 12 (10 or 8, of 32 pixels, show
# too little), and there are 100 permutations instead of 1000. Puzzles of whole images are soon solved, and what is
# learnt after that serves puzzles alone: on held-out training images 42.4 % after 115,000 images (90 % solved), 40.1
# after 600,000 (98 %), one seed each. Of random crops in changing colours 42.9 after 115,000 images (38 % solved; one
# seed), 44.2 and 44.7 after 240,000 (44 and 49 %).
jigsaw.SIZE    = 48
jigsaw.AUGMENT = crop:$(size),scale=0.35-1 flip jitter:0.4,0.4,0.4,0.1,p=0.8
jigsaw.PRETEXT = jigsaw:permutations=100
jigsaw.TRAIN   = --lr 0.1
jigsaw.EPOCHS  = 12

# Context prediction: Doersch, Gupta and Efros, "Unsupervised visual representation learning by context
# prediction", ICCV 2015. Four pairs of patches of 12 pixels from each image.
context.PRETEXT = context:pairs=4
context.TRAIN   = --lr 0.1
context.EPOCHS  = 13

# Colorization: Zhang, Isola and Efros, "Colorful image colorization", ECCV 2016. (PRETEXT=colorize:target=ab
# is regression.)
colorize.PRETEXT = colorize
colorize.TRAIN   = --optimizer adamw --lr 1e-3
colorize.EPOCHS  = 14

# Inpainting: Pathak et al., "Context encoders: feature learning by inpainting", CVPR 2016. Blocks that hide half
# of the image: of 32 pixels a central hole leaves little to look at, and taught less in short trials (layer3
# 39.3 after 120,000 images, blocks 39.9 at layer4 after 90,000).
inpaint.PRETEXT = inpaint:blocks,area=0.5
inpaint.TRAIN   = --optimizer adamw --lr 2e-3
inpaint.EPOCHS  = 11

# Super-resolution: after the generator's pre-training in Ledig et al., CVPR 2017. The factor is 4: with 2, what
# is missing is texture, and features turn to pixels. The encoder sees the small image enlarged, so at the scale
# at which it is measured.
superres.PRETEXT = superres:4,enlarge=1
superres.TRAIN   = --optimizer adamw --lr 2e-3
superres.EPOCHS  = 11

# SimCLR: Chen, Kornblith, Norouzi and Hinton, "A simple framework for contrastive learning of visual
# representations", ICML 2020. The temperature suits a short training: over 4 epochs 0.2 gave 56.8 % on held-out
# training images, 0.5 gave 54.0. The encoder is small, so that two cores see each image some thirty times in half
# an hour: EPOCHS=30 for that. tests/bench/simclr.py is the same training in PyTorch.
simclr.VIEWS   = --views 2
simclr.AUGMENT = crop:$(size),scale=0.2-1 $(STRONG)
simclr.PRETEXT = contrast
simclr.BATCH   = 256
simclr.TRAIN   = --lr 0.4 --set temperature=0.2
simclr.EPOCHS  = 8

# The same where time is short: crops of 24 pixels cost little more than half of 32. The encoder takes any size, and
# after a short training tells more of images that are enlarged. After six minutes of one core, crops of 24 gave 52.7 %
# on held-out training images, 54.1 at 40 pixels and 55.2 at 48; crops of 32: 50.2, 51.3 and 52.9; crops of 20: 51.4.
# After half an hour of two: 67.5 at 32, 67.6 at 40, 67.0 at 48 (one seed each).
simclr-small.BASE    = simclr
simclr-small.AUGMENT = crop:24,scale=0.2-1 $(STRONG)
simclr-small.EMBED   = --size 40
simclr-small.EPOCHS  = 12

# PIRL: Misra and van der Maaten, "Self-supervised learning of pretext-invariant representations", CVPR 2020.
# Image and patches come from two views, so that the patches' colours do not give their image away. A memory is of the
# epoch before, and in the first it is noise: a short training needs few images, often. 120,000 images of 50,000 gave
# about 37 % on held-out training images, of 5,000 45.4, of 2,500 48.2 (random weights: 35.5). The image's projector
# has a hidden layer, as the authors' later runs have; a linear one gave 44.5 instead of 45.4.
pirl.SELECT  = --limit 5000
pirl.VIEWS   = --views 2
pirl.AUGMENT = crop:$(size),scale=0.4-1 $(STRONG)
pirl.PRETEXT = pirl
pirl.TRAIN   = --lr 0.2 --projector 256-128 --set temperature=0.2
pirl.EPOCHS  = 80

# DeepCluster: Caron, Bojanowski, Joulin and Douze, "Deep clustering for unsupervised learning of visual
# features", ECCV 2018. Each round starts from the encoder of the one before with a new top layer, since the
# numbers of new clusters mean nothing to the old one, and sees each cluster equally often. (./rounds explains
# the variables.)
deepcluster.AUGMENT = crop:$(size),scale=0.2-1 $(STRONG)
deepcluster.PRETEXT = labels# of the random network; it does not look at them
deepcluster.KEEP    = PRETEXT
deepcluster.EPOCHS  = 1
deepcluster.ROUNDS  = 14
deepcluster.LR      = 0.05
deepcluster.LAYER   = embedding
deepcluster.FIRST   = embedding
deepcluster.CLUSTER = -k 100 --pca 256 --whiten --l2
deepcluster.PARTS   = encoder
deepcluster.BY      = even

# Self-labelling (SeLa): Asano, Rupprecht and Vedaldi, "Self-labelling via simultaneous clustering and
# representation learning", ICLR 2020. Clusters of equal size from the logits of HEADS heads, which are kept
# from round to round. Before there are heads, random projections of the untrained encoder take their place. All
# heads are labelled anew in each round (the paper: one at a time, more often). Clusters come within 1 % of their size on
# average: the default, a hundred times finer, takes two to three times the iterations (146 against 45 in a third round),
# and each image has to go somewhere as a whole.
HEADS   = 10
CLASSES = 128
selflabel.BASE    = deepcluster
selflabel.START   = --projector $(shell echo $$(($(HEADS) * $(CLASSES))))
selflabel.LAYER   = $(shell seq -s , -f head.%g 0 $$(($(HEADS) - 1)))
selflabel.FIRST   = projector
selflabel.CLUSTER = -m sinkhorn --lambda 10 --tolerance 1 --heads $(HEADS)
selflabel.PARTS   = encoder+heads
selflabel.BY      =

# What all are held against: the labels themselves; the same network with random weights, whose batch statistics
# are those of 100 batches; raw pixels; and clusters of raw pixels.
supervised.PRETEXT = labels
supervised.KEEP    = PRETEXT
random.BASE        = rotation
random.STEPS       = 0
none.MODEL         = pixels
k-means.MODEL      = pixels
k-means.ONLY       = clusters

#: make -C pipelines rotation-cifar10         one system of systems.mk against random weights and raw pixels;
#:                                            likewise jigsaw-cifar10, deepcluster and the others
