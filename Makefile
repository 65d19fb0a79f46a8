# ssl-tools: self-supervised learning as Unix filters.  `make help` lists the targets.

PREFIX  ?= /usr/local
DESTDIR ?=
BINDIR   = $(DESTDIR)$(PREFIX)/bin
MANDIR   = $(DESTDIR)$(PREFIX)/share/man
VERSION := $(shell sed -n 's/^.define TOOLS_VERSION "\(.*\)"/\1/p' lib/base/version.h)

CC      ?= cc
OPT     ?= -O2 -g
WARN     = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
PKG     := vips libdeflate nettle libjpeg
# msgpack-c's pkg-config name is msgpack on Debian 12 and msgpack-c elsewhere.
MSGPACK := $(shell pkg-config --exists msgpack-c 2>/dev/null && echo msgpack-c || echo msgpack)
PKGLIBS  := $(shell pkg-config --libs $(PKG) $(MSGPACK) 2>/dev/null)
pkgflags  = $(shell pkg-config --cflags $(1) 2>/dev/null | sed 's/-I/-isystem /g')
# -ffp-contract=off: arithmetic outside lib/nn must not depend on the instruction set.
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) -ffp-contract=off -fno-math-errno -pthread -Ilib $(SAN) $(LAYERFLAGS) $(CFLAGS)
# Each program links only what it uses.
LIBS     = -Wl,--as-needed $(PKGLIBS) -lm -pthread

# What `make deps` installs, by Debian's names.
DEB_BUILD = gcc libc6-dev pkg-config libvips-dev libjpeg-dev libdeflate-dev nettle-dev libmsgpack-dev
DEB_TEST  = libcriterion-dev dataset-fashion-mnist python3-numpy python3-msgpack
DEB_TORCH = python3-torch python3-torchvision python3-sklearn python3-pil python3-onnx
DEB_LINT  = clang mandoc cppcheck shellcheck
DEB_FUZZ  = clang libclang-rt-dev
PACKAGES ?= $(DEB_BUILD) $(DEB_TEST)

# Objects live in a folder named by the flags, so that sanitizer builds never mix.
FLAVOUR ?= release
B        = build/$(FLAVOUR)

LAYERS   = base stream image data pretext nn eval export plot
LIB_SRC := $(foreach l,$(LAYERS),$(wildcard lib/$(l)/*.c) $(wildcard lib/$(l)/*/*.c))
LIB_OBJ  = $(LIB_SRC:%.c=$(B)/%.o)
TOOLS   := $(patsubst tools/%.c,%,$(wildcard tools/ssl-*.c))
PROGS    = $(TOOLS:%=$(B)/%)
UNITS    = $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*.c))
FUZZERS  = $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/*.c))
TORCHES  = $(patsubst %.c,$(B)/%,$(wildcard tests/torch/*.c))
BENCHES  = $(patsubst %.c,$(B)/%,$(wildcard tests/bench/*.c))
PAGES   := $(wildcard man/*.[1-8])

.DEFAULT_GOAL = all
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGS) ## build the programs into build/release

# Commands are shown in short; V=1 shows them whole.
ifeq ($(V),)
say = @echo '  $(1)  $(patsubst $(B)/%,%,$@)';
endif

# ---- Compile -------------------------------------------------------------------

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) $(CFLAGS_$(notdir $*)) -MMD -MP -c -o $@ $<

# Foreign headers are seen only by the layer that may include them.
VIPSFLAGS    := $(call pkgflags,vips libjpeg)
MSGPACKFLAGS := $(call pkgflags,$(MSGPACK))
$(B)/lib/image/%.o: LAYERFLAGS = -O3 $(VIPSFLAGS)
$(B)/lib/stream/%.o: LAYERFLAGS = $(MSGPACKFLAGS)
# The one layer whose arithmetic may use what the processor offers.
# (Sanitizers make -O3 of the unrolled kernels take minutes to compile.)
$(B)/lib/nn/%.o: LAYERFLAGS = $(if $(SAN),-O1,-O3) -ffp-contract=fast

# The page of ssl-plot's maps is written as it is, and compiled in as bytes.
$(B)/lib/plot/page.o: LAYERFLAGS = -I$(B)/lib/plot
$(B)/lib/plot/page.o: $(patsubst %,$(B)/lib/plot/page.%.inc,html css js)
$(B)/%.inc: %
	@mkdir -p $(@D)
	$(call say,OD)od -An -v -tu1 $< | sed 's/[0-9][0-9]*/&,/g' >$@

$(B)/libtools.a: $(LIB_OBJ)
	$(call say,AR)rm -f $@ && ar rcs $@ $^

$(B)/ssl-%: $(B)/tools/ssl-%.o $(B)/tools/tool.o $(B)/libtools.a
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/libtools.a
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS) -lcriterion

$(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/libtools.a
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/tests/torch/%: $(B)/tests/torch/%.o $(B)/libtools.a
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/libtools.a
	$(call say,LD)$(CC) $(CFLAGS_ALL) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS)

# ---- Packages ------------------------------------------------------------------

deps: ## install what building and testing need (elsewhere than on Debian: name it)
	@.ci/deps $(PACKAGES)

deps-all: ## the same, for every target
	@.ci/deps $(PACKAGES) $(DEB_TORCH) $(DEB_LINT) $(DEB_FUZZ)

# ---- Run and test --------------------------------------------------------------

# A second make, because the first looked for libraries before they were installed.
AGAIN = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

demo: deps ## pretrain on Fashion-MNIST and print one table (under 10 minutes)
	+@$(AGAIN) all
	@BIN=$(B) OUT=build/demo pipelines/demo

test: deps ## install what is missing, build, and run the unit and the CLI tests
	+@$(AGAIN) check

check: ## the same without installing anything
	@rc=0; $(MAKE) --no-print-directory unit || rc=1; $(MAKE) --no-print-directory cli || rc=1; exit $$rc

unit: $(UNITS) ## only the unit tests
	@rc=0; for t in $(UNITS); do echo "unit: $${t##*/}"; ./$$t || rc=1; done; exit $$rc

cli: $(PROGS) ## only the CLI tests; T="a b" for some of them
	@FLAVOUR=$(FLAVOUR) tests/cli/run $(B) $(T)

check-torch: all $(TORCHES) ## compare with PyTorch, torchvision and scikit-learn (TORCH="a b" for some)
	@.ci/deps $(PACKAGES) $(DEB_TORCH)
	@tests/torch/run $(B) $(TORCH)

check-browser: all ## look at ssl-plot's page in a headless Chromium (skipped where there is none)
	@tests/browser/run $(B)

bench: $(PROGS) $(BENCHES) ## measure speed
	@BIN=$(B) tests/bench/run

# Reports go to files: one is a failure even where a test expects its program to fail.
REPORTS = $(CURDIR)/$(B)/reports
SUPP    = $(CURDIR)/tests/suppressions
sanitized-check sanitized-cli: sanitized-%:
	@rm -rf $(REPORTS) && mkdir -p $(REPORTS)
	@ASAN_OPTIONS=log_path=$(REPORTS)/asan:detect_stack_use_after_return=1 \
	LSAN_OPTIONS=suppressions=$(SUPP)/lsan:print_suppressions=0 \
	UBSAN_OPTIONS=log_path=$(REPORTS)/ubsan:print_stacktrace=1 \
	TSAN_OPTIONS=log_path=$(REPORTS)/tsan:suppressions=$(SUPP)/tsan \
	$(MAKE) --no-print-directory $*; rc=$$?; \
	for f in $(REPORTS)/*; do [ ! -f "$$f" ] || { cat "$$f"; rc=1; }; done; exit $$rc

asan: ## all tests under AddressSanitizer, with leaks
	+@$(AGAIN) FLAVOUR=asan SAN='-fsanitize=address -fno-omit-frame-pointer' sanitized-check

ubsan: ## all tests under UndefinedBehaviorSanitizer
	+@$(AGAIN) FLAVOUR=ubsan SAN='-fsanitize=undefined -fno-sanitize-recover=all' sanitized-check

tsan: ## the CLI tests under ThreadSanitizer (Criterion does not run under it)
	+@$(AGAIN) FLAVOUR=tsan SAN=-fsanitize=thread sanitized-cli

FUZZ_SECONDS ?= 60
fuzz: ## run each fuzz target for FUZZ_SECONDS
	+@$(AGAIN) CC=clang FLAVOUR=fuzz SAN='-fsanitize=fuzzer-no-link,address' fuzz-run

fuzz-run: $(FUZZERS)
	@for t in $(FUZZERS); do n=$${t##*/}; log=$(B)/found/$$n.log; \
	mkdir -p $(B)/corpus/$$n $(B)/found tests/fuzz/corpus/$$n || exit 1; \
	$$t -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix=$(B)/found/$$n- \
	    $(B)/corpus/$$n tests/fuzz/corpus/$$n >$$log 2>&1 || { echo "fuzz: $$n"; tail -n 60 $$log; exit 1; }; \
	sed -n "s/^stat::number_of_executed_units: */fuzz: $$n: nothing found in /p" $$log | sed 's/$$/ runs/'; done

lint: ## layers, banned functions, warnings of clang and cppcheck, man pages, shell
	@tests/lint

# ---- Pages, packages -----------------------------------------------------------

man: $(PAGES:man/%=build/man/%.html) ## the manual pages as HTML, in build/man

build/man/%.html: man/%
	@mkdir -p $(@D)
	mandoc -T html -O man=%N.%S.html,style=/dev/null $< >$@

install: all ## install programs and manual pages under PREFIX (and DESTDIR)
	install -d $(BINDIR)
	install -m 755 $(PROGS) $(BINDIR)
	for p in $(PAGES); do d=$(MANDIR)/man$${p##*.}; install -d $$d && install -m 644 $$p $$d || exit 1; done

uninstall: ## remove what install put there
	cd $(BINDIR) && rm -f $(TOOLS)
	for p in $(PAGES); do rm -f $(MANDIR)/man$${p##*.}/$${p##*/}; done

dist: ## a source archive of the last commit
	@mkdir -p build
	git archive --prefix=ssl-tools-$(VERSION)/ -o build/ssl-tools-$(VERSION).tar.gz HEAD

clean: ## remove what was built
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r t d; do printf '  %-12s %s\n' "$$t" "$$d"; done

.PHONY: all deps deps-all demo test check unit cli check-torch check-browser bench sanitized-check sanitized-cli asan ubsan tsan \
	fuzz fuzz-run lint man install uninstall dist clean help
-include $(shell find build -name '*.d' 2>/dev/null)
