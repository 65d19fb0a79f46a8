# At photograph size: 3,781 photographs of clothing at 96 pixels (or SIZE=128, SIZE=160), ResNet-18, rotation and SimCLR
# against the supervised bound, random weights and raw pixels.
#: make -C pipelines photographs BUDGET=10m   rotation and SimCLR on photographs of 96 to 160 pixels, with ResNet-18
#
# The width is half of ResNet-18's own, which one core trains on some 70 images a second (four rotations each) at 96
# pixels; WIDTH=64 takes three times as long. Without a BUDGET a seed is 20 minutes of one core. There are
# 372 test images, so intervals are wide.
DATA = $(wildcard $(abspath ../../shared/data/clothing-160.tar))
HELD = 1000
default.SIZE     = 96
default.ENCODER  = resnet18
default.WIDTH    = 32
default.PROBE    = --labels-per-class all,10
default.CLUSTERS = 10
default.AUGMENT  = crop:$(size),scale=0.3-1 flip
default.BATCH    = 64
# With the default of 0.1 two seeds of three learnt little: 40 and 32 % of the turns, where the third had 75.
rotation.TRAIN   = --lr 0.02
simclr.BATCH     = 128
simclr.TRAIN     = --lr 0.2 --set temperature=0.2
default.EPOCHS   = 8
simclr.EPOCHS    = 16
supervised.EPOCHS = 32
# A classifier of 27,648 numbers would take longer than all else together.
none.EMBED       = --size 32
SYSTEMS = rotation simclr supervised random none
