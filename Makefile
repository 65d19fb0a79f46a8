# ssl-tools: self-supervised learning as Unix filters.  `make help` lists the targets.

PREFIX  ?= /usr/local
DESTDIR ?=
BINDIR   = $(DESTDIR)$(PREFIX)/bin
MANDIR   = $(DESTDIR)$(PREFIX)/share/man

CC      ?= cc
OPT     ?= -O2 -g
WARN     = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
PKG     := vips libdeflate nettle libjpeg
# msgpack-c's pkg-config name is msgpack on Debian 12 and msgpack-c elsewhere.
MSGPACK := $(shell pkg-config --exists msgpack-c 2>/dev/null && echo msgpack-c || echo msgpack)
PKGFLAGS := $(shell pkg-config --cflags $(PKG) $(MSGPACK) 2>/dev/null | sed 's/-I/-isystem /g')
PKGLIBS  := $(shell pkg-config --libs $(PKG) $(MSGPACK) 2>/dev/null)
# -ffp-contract=off: arithmetic outside lib/nn must not depend on the instruction set.
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) -ffp-contract=off -fno-math-errno -pthread -Ilib $(PKGFLAGS) $(SAN) $(CFLAGS)
# Each program links only what it uses.
LIBS     = -Wl,--as-needed $(PKGLIBS) -ldnnl -lm -pthread

# Objects live in a folder named by the flags, so that sanitizer builds never mix.
FLAVOUR ?= release
B        = build/$(FLAVOUR)

LAYERS   = base stream image data pretext nn eval export
LIB_SRC := $(foreach l,$(LAYERS),$(wildcard lib/$(l)/*.c) $(wildcard lib/$(l)/*/*.c))
LIB_OBJ  = $(LIB_SRC:%.c=$(B)/%.o)
TOOLS   := $(patsubst tools/%.c,%,$(wildcard tools/ssl-*.c))
PROGS    = $(TOOLS:%=$(B)/%)
UNIT_SRC:= $(wildcard tests/unit/*.c)
UNITS    = $(UNIT_SRC:%.c=$(B)/%)

.DEFAULT_GOAL = all
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGS) ## build the programs into build/release

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(CFLAGS_$(notdir $*)) -MMD -MP -c -o $@ $<

# The one layer whose arithmetic may use what the processor offers.
$(B)/lib/nn/%.o: CFLAGS += -O3 -ffp-contract=fast

$(B)/libtools.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(B)/ssl-%: $(B)/tools/ssl-%.o $(B)/tools/tool.o $(B)/libtools.a
	$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/libtools.a
	$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS) -lcriterion

clean: ## remove what was built
	rm -rf build

.PHONY: all clean
-include $(shell find build -name '*.d' 2>/dev/null)
