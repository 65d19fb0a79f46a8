# All systems at an equal budget, which must be given: BUDGET=8m, 3000steps or 200000images.
#: make -C pipelines table BUDGET=8m          all systems, each trained for as long, and what they are held against
SYSTEMS = rotation jigsaw context colorize inpaint superres simclr pirl deepcluster selflabel supervised random none k-means
default.PROBE    = --labels-per-class all,10
default.CLUSTERS = 10
ifeq ($(BUDGET),)
$(error table: give a BUDGET, such as BUDGET=8m, BUDGET=3000steps or BUDGET=200000images)
endif
