# At photograph size: 3,700 photographs of clothing at 96 pixels (or SIZE=128, SIZE=160), ResNet-18, rotation and SimCLR
# against the supervised bound, random weights and raw pixels.
#: make -C pipelines photographs              rotation and SimCLR on photographs of 96 to 160 pixels, with ResNet-18
DATA = $(wildcard $(abspath ../../shared/data/clothing-160.tar))
default.SIZE     = 96
default.ENCODER  = resnet18
default.WIDTH    = 64
default.PROBE    = --labels-per-class all,10
default.CLUSTERS = 10
default.AUGMENT  = crop:$(size),scale=0.3-1 flip
default.BATCH    = 64
HELD = 1000
rotation.EPOCHS   = 20
SYSTEMS = rotation simclr supervised random none
