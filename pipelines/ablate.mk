# What the values of one stage are worth, the rest being equal, as in figure 5 of the SimCLR paper: AUGMENTS (or PRETEXTS,
# ENCODERS, WIDTHS, BATCHS, TRAINS) are values of AUGMENT (and so on), with semicolons between them. In that figure
# crops and colours together are worth more than either.
#: make -C pipelines ablate TASK=simclr AUGMENTS='none; crop; crop flip; crop flip jitter'
#:                                            what each value of a stage is worth (or PRETEXTS, ENCODERS, TRAINS)
TASK     = simclr
AUGMENTS = none; crop; crop flip; jitter; crop jitter; crop flip jitter; crop flip jitter gray
varied  := $(or $(firstword $(foreach v,$(STAGES),$(if $(filter command,$(origin $vS)),$v))),AUGMENT)
space   := $(subst ,, )
# The words of one value are held together by a | meanwhile.
values  := $(subst ;, ,$(subst $(space),|,$(strip $($(varied)S))))
values  := $(filter-out |,$(patsubst |%,%,$(patsubst %|,%,$(values))))
order   := $(shell seq $(words $(values)))
variants := $(foreach i,$(order),$(TASK)-$i)
define variant
$(TASK)-$i.BASE := $(TASK)
$(TASK)-$i.$(varied) := $(subst |, ,$(word $i,$(values)))
$(TASK)-$i.LABEL := $(TASK): $(subst |, ,$(word $i,$(values)))
endef
$(foreach i,$(order),$(eval $(variant)))
random.BASE = $(TASK)
SYSTEMS = $(variants) random none
