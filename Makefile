# SPDX-License-Identifier: MIT
#
# make              the shim and its command, in build/
# make demo         shows what it does, with its own kernel if need be
# make test         everything that proves it works
# make conformance  the contract's rows in all contexts; writes tests/CONFORMANCE.md
# make mutants      whether the tests notice when the code they test is taken out
# make faults       the library's calls of libc fail, each with each of its errors, each time
# make torture      any peers against any servers under any policy: MINUTES=10 SEED=1
# make soak         two servers for an hour: what they cost must not grow; MINUTES=60
# make real         Debian's programs under the shim again, with 10,000 messages each
# make fuzz         anything into all that reads what others write: DURATION=60 seconds each
# make bench        what it costs and brings, in instructions; bench-quick: a part of it
# make check        compilers, analysers, formatting
# make sanitize     the tests again, under AddressSanitizer and UBSan
# make compat       as other compilers make it, and beside other preloads
# make coverage     which lines of shim/ the tests reach
# make tsan         those with threads, under ThreadSanitizer, on two processors
# make valgrind     the contract's programs: memory and descriptors
# make smp          those with threads and processes, on two processors
# make install      PREFIX, LIBDIR and DESTDIR as usual; make uninstall
# make deb          a Debian package, in build/deb/

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/sctpeel
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
BUILD ?= build
INSTALL ?= install
CLANG ?= clang
JAVAC ?= $(shell command -v javac)
MESSAGES ?= 10000
ERLC ?= $(shell command -v erlc)
GO ?= $(shell command -v go)

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Werror
CPPFLAGS += -D_GNU_SOURCE -Ishim
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(CFLAGS) $(WARN) -fstack-protector-strong -MMD -MP
SHIM_CFLAGS := -fPIC -fvisibility=hidden -fexceptions -ftls-model=initial-exec
HARDENED := -Wl,-z,relro,-z,now
SHIM_LDFLAGS := -shared -Wl,-soname,libsctpeel.so $(HARDENED) -Wl,-z,nodelete \
	-Wl,--version-script=$(BUILD)/libsctpeel.map
ifdef SANITIZE
# The runtime stands first in LD_PRELOAD, so the library must not bring a second one.
ALL_CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SANITIZE)
# Of the live page's fences it knows nothing; other processes are what they are for.
ALL_CFLAGS += $(if $(findstring thread,$(SANITIZE)),-Wno-tsan)
else
SHIM_LDFLAGS += -Wl,--no-undefined
FORTIFY := -D_FORTIFY_SOURCE=2
endif

# Threads count, too; what is killed before it ends is not counted.
ifdef COVERAGE
ALL_CFLAGS += --coverage -fprofile-update=atomic
LDFLAGS += --coverage
endif

# Policy, events and what these stand on know nothing of sockets: the tools and fuzzers link them too.
PURE := $(wildcard shim/policy/*.c shim/events/*.c) $(addprefix shim/,settings.c variables.c \
	policy_source.c values.c fault.c line.c libc.c lock.c)
SHIM_SRC := $(wildcard shim/*.c shim/*/*.c)
TOOL_SRC := $(wildcard tools/*.c)
MAN := $(notdir $(wildcard tools/man/*.[1-8]))
DEB = $(BUILD)/deb/sctpeel-$(VERSION)
VERSION := $(shell sed -n 's/^\#define SCTPEEL_VERSION "\(.*\)"/\1/p' shim/settings.h)
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
PROGRAMS := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/programs/*.c tests/bench/*.c))
PURE_PROGRAMS := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/fuzz/*.c tests/unit/*.c))
# The contract's programs where all sockets and addresses are IPv6.
PROGRAMS6 := $(patsubst tests/programs/%.c,$(BUILD)/programs6/%,$(wildcard tests/programs/contract_*.c))
# What tools/ stands on too.
# These feed what no tool is linked with.
SHIM_PROGRAMS := $(addprefix $(BUILD)/fuzz/,ancillary_fuzz handed_fuzz siblings_fuzz)
FUZZERS := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/fuzz/*.c))
TOOL_PROGRAMS := $(addprefix $(BUILD)/fuzz/,elf_fuzz live_fuzz trace_fuzz)
TOOL_LIBS := -lelf -ljansson -lm -lncursesw -ltinfo
CLASSES := $(if $(JAVAC),$(patsubst tests/%.java,$(BUILD)/%.class,$(wildcard tests/programs/*.java)))
BEAMS := $(if $(ERLC),$(patsubst tests/%.erl,$(BUILD)/%.beam,$(wildcard tests/programs/*.erl)))
GO_PROGRAMS := $(if $(GO),$(patsubst tests/%.go,$(BUILD)/%,$(wildcard tests/programs/*.go)))
SHELL_FILES = $(shell { grep -rlIE '^\#!.*[/ ](ba|da)?sh' tests tools .ci; \
	find tests tools -name '*.bats' -o -name '*.bash'; } | sort -u) \
	$(addprefix tests/guest.d/,session uml-init qemu-init) tools/completion/sctpeel
C_FILES := $(sort $(wildcard shim/*.[ch] shim/*/*.[ch] tools/*.[ch] tests/*/*.[ch]))

ifneq ($(V),1)
quiet = @echo '  $(1)	$@';
endif

all: $(BUILD)/libsctpeel.so $(if $(TOOL_SRC),$(BUILD)/sctpeel)
programs: all $(PROGRAMS) $(PURE_PROGRAMS) $(BUILD)/programs/torture $(CLASSES) $(BEAMS) $(GO_PROGRAMS)

programs6: $(PROGRAMS6)

fuzzers: $(FUZZERS)

$(BUILD)/libsctpeel.so: $(call obj,$(SHIM_SRC)) $(BUILD)/libsctpeel.map
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(SHIM_LDFLAGS) -o $@ $(filter %.o,$^) -ldl

$(BUILD)/libsctpeel.map: shim/exports.map.in shim/calls.def
	@mkdir -p $(@D)
	$(call quiet,GEN)$(CC) -E -P -undef -x c -Ishim $< -o $@

$(BUILD)/sctpeel: $(call obj,$(TOOL_SRC)) $(BUILD)/libpure.a
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(HARDENED) -o $@ $^ $(TOOL_LIBS)

$(BUILD)/libpure.a: $(call obj,$(PURE))
	$(call quiet,AR)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/shim/%.o: shim/%.c
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(CPPFLAGS) $(FORTIFY) $(ALL_CFLAGS) $(SHIM_CFLAGS) -c -o $@ $<

# They define what fortified headers would turn into inlines and macros.
$(call obj,$(wildcard shim/doors/*.c) shim/libc.c): FORTIFY := -U_FORTIFY_SOURCE

$(BUILD)/tools/%.o: tools/%.c
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(CPPFLAGS) $(FORTIFY) -DSCTPEEL_LIBDIR='"$(LIBDIR)"' $(ALL_CFLAGS) -c -o $@ $<

# Where the library will be is compiled in.
$(BUILD)/tools/library.o: $(BUILD)/libdir
$(BUILD)/libdir: FORCE
	@mkdir -p $(@D)
	@echo '$(LIBDIR)' | cmp -s - $@ || echo '$(LIBDIR)' >$@

$(PROGRAMS): $(BUILD)/%: tests/%.c
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< -lsctp -lpthread -lm

$(PROGRAMS6): $(BUILD)/programs6/%: tests/programs/%.c
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(CPPFLAGS) -DCONTRACT_IPV6 $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< -lsctp -lpthread -lm

# -rdynamic: so that its watchdog can name functions.
$(BUILD)/programs/torture: $(wildcard tests/torture/*.[ch])
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $(LDFLAGS) -rdynamic \
		-o $@ $(filter %.c,$^) -lsctp -lpthread

$(TOOL_PROGRAMS): $(BUILD)/%: tests/%.c $(filter-out %/sctpeel.o,$(call obj,$(TOOL_SRC))) $(BUILD)/libpure.a
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.o %.a,$^) $(TOOL_LIBS)

$(SHIM_PROGRAMS): $(BUILD)/%: tests/%.c $(call obj,$(SHIM_SRC))
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.o,$^) -ldl -lm

$(filter-out $(TOOL_PROGRAMS) $(SHIM_PROGRAMS),$(PURE_PROGRAMS)): $(BUILD)/%: tests/%.c $(BUILD)/libpure.a
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libpure.a -lm

$(BUILD)/%.class: tests/%.java
	@mkdir -p $(@D)
	$(call quiet,JAVAC)$(JAVAC) -d $(@D) $<

$(BUILD)/%.beam: tests/%.erl
	@mkdir -p $(@D)
	$(call quiet,ERLC)$(ERLC) -o $(@D) $<

# Without cgo there is no libc in it, as in most Go programs.
$(GO_PROGRAMS): $(BUILD)/%: tests/%.go
	@mkdir -p $(@D)
	$(call quiet,GO)GOCACHE=$(abspath $(BUILD))/go CGO_ENABLED=0 $(GO) build -o $@ $<

test:
	@tests/setup test
	@$(MAKE) --no-print-directory programs
	@BUILD=$(BUILD) tests/run $(FILES)

conformance:
	@tests/setup test
	@$(MAKE) --no-print-directory programs programs6
	@BUILD=$(BUILD) tests/conformance

mutants:
	@tests/setup test
	@$(MAKE) --no-print-directory programs
	@BUILD=$(BUILD) tests/mutants

faults:
	@tests/setup test
	@$(MAKE) --no-print-directory programs
	@EVERY=1 BUILD=$(BUILD) TEST_TIMEOUT=7200 GUEST_TIMEOUT=7200 tests/run tests/faults.bats

fuzz: DURATION ?= 60
fuzz:
	@tests/setup test fuzz
	@$(MAKE) --no-print-directory programs
	@$(MAKE) --no-print-directory BUILD=build-fuzz CC=clang SANITIZE=fuzzer,address,undefined \
		CPPFLAGS='$(CPPFLAGS) -DLIBFUZZER' fuzzers
	@BUILD=$(BUILD) tests/fuzz/run $(DURATION) $(FUZZ)

# Each hour of the clock has its seeds, unless SEED says where to begin.
torture: MINUTES ?= 10
torture: SEED ?= $(shell date +%Y%m%d%H)000
torture:
	@tests/setup test
	@$(MAKE) --no-print-directory programs
	@BUILD=$(BUILD) tests/guest -- tests/torture/run -m $(MINUTES) $(SEED)

soak: MINUTES ?= 60
soak:
	@tests/setup test
	@$(MAKE) --no-print-directory programs
	@BUILD=$(BUILD) tests/guest --timeout 36000 -- tests/soak $(MINUTES)

# In make test these files are content with 500 messages, and with the shim alone.
real: FILES ?= $(shell grep -l in_the_field tests/*.bats)
real:
	@tests/setup test
	@$(MAKE) --no-print-directory programs
	@BUILD=$(BUILD) MESSAGES=$(MESSAGES) PATIENCE=12 WAYS='native all volume' TEST_TIMEOUT=3600 GUEST_TIMEOUT=14400 tests/run $(FILES)

demo:
	@tests/setup demo
	@$(MAKE) --no-print-directory programs
	@BUILD=$(BUILD) tests/demo

bench:
	@tests/setup bench
	@$(MAKE) --no-print-directory programs
	@BUILD=$(BUILD) tests/bench/run

bench-quick:
	@tests/setup bench
	@$(MAKE) --no-print-directory programs
	@BUILD=$(BUILD) tests/bench/run --quick

sanitize:
	@tests/setup sanitize
	@$(MAKE) --no-print-directory BUILD=build-asan SANITIZE=address,undefined programs
	@BUILD=build-asan SHIM_VARIANT=asan tests/run $(FILES)

coverage:
	@tests/setup test
	@$(MAKE) --no-print-directory BUILD=build-coverage COVERAGE=1 programs
	@find build-coverage -name '*.gcda' -delete
	@BUILD=build-coverage tests/run $(FILES) || true
	@tests/coverage build-coverage

compat:
	@tests/setup test compat
	@$(MAKE) --no-print-directory programs
	@FILES="$(FILES)" tests/compat $(WAYS)

# Where threads meet, and processes.
MEETINGS := $(addprefix tests/,contract_threads.bats contract_stalls.bats contract_waiting.bats torture.bats)
tsan: FILES ?= $(MEETINGS)
tsan:
	@tests/setup sanitize
	@$(MAKE) --no-print-directory BUILD=build-tsan SANITIZE=thread programs
	@BUILD=build-tsan SHIM_VARIANT=tsan tests/run $(FILES)

valgrind:
	@tests/setup test valgrind
	@$(MAKE) --no-print-directory programs
	@BUILD=$(BUILD) tests/guest --timeout 7200 -- env TMPDIR=/dev/shm tests/valgrind

smp: FILES ?= $(MEETINGS) tests/contract_siblings.bats tests/contract_processes.bats tests/prefork.bats
smp:
	@tests/setup sanitize
	@$(MAKE) --no-print-directory programs
	@BUILD=$(BUILD) SHIM_VARIANT=smp tests/run $(FILES)

# Each part can be had alone; the builds come first because the others only annoy while they fail.
check: check-gcc check-clang check-format check-shell check-cppcheck check-tidy

check-setup:
	@tests/setup check

check-gcc: check-setup
	@$(MAKE) --no-print-directory programs

check-clang: check-setup
	@$(MAKE) --no-print-directory BUILD=build-clang CC=$(CLANG) programs

check-format: check-setup
	clang-format --dry-run -Werror $(C_FILES)

check-shell: check-setup
	shellcheck -x $(SHELL_FILES)

check-cppcheck: check-setup
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --suppress=uninitvar \
		--enable=warning,performance,portability -D_GNU_SOURCE -D__x86_64__ -D__LP64__ \
		-Ishim shim tools

check-tidy: check-setup
	@printf '%s\n' $(SHIM_SRC) $(TOOL_SRC) | xargs -P $$(nproc) -n 2 \
		sh -c 'clang-tidy --quiet "$$@" -- -std=gnu11 $(CPPFLAGS) 2>/dev/null' clang-tidy

install: all
	$(INSTALL) -d $(addprefix $(DESTDIR),$(BINDIR) $(LIBDIR) $(COMPLETIONDIR) $(DOCDIR)/examples)
	$(INSTALL) -m 0755 $(BUILD)/libsctpeel.so $(DESTDIR)$(LIBDIR)/
	$(INSTALL) -m 0755 $(BUILD)/sctpeel $(DESTDIR)$(BINDIR)/
	$(INSTALL) -m 0644 tools/completion/sctpeel $(DESTDIR)$(COMPLETIONDIR)/
	$(foreach page,$(MAN),$(INSTALL) -D -m 0644 tools/man/$(page) $(call man_place,$(page)) &&) true
	$(INSTALL) -m 0644 README.md $(DESTDIR)$(DOCDIR)/
	sed 's,@LIBDIR@,$(LIBDIR),' tools/systemd/sctpeel.conf >$(DESTDIR)$(DOCDIR)/examples/sctpeel.conf

# Folders of ours go, those of others stay.
uninstall:
	rm -f $(DESTDIR)$(LIBDIR)/libsctpeel.so $(DESTDIR)$(BINDIR)/sctpeel \
		$(DESTDIR)$(COMPLETIONDIR)/sctpeel $(foreach page,$(MAN),$(call man_place,$(page)))
	rm -rf $(DESTDIR)$(DOCDIR)

man_place = $(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $(1)))/$(1)

# The source as it is here, with the packaging where Debian wants it.
deb:
	@tests/setup deb
	@[ "$$(dpkg-parsechangelog -l tools/debian/changelog -S Version)" = $(VERSION) ] || \
		{ echo 'tools/debian/changelog: its first version is not $(VERSION), that of shim/settings.h' >&2; exit 65; }
	rm -rf $(DEB)
	mkdir -p $(DEB)
	cp -r shim tests tools Makefile README.md LICENSE $(DEB)/
	cp -r tools/debian $(DEB)/
	cd $(DEB) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL dpkg-buildpackage -b -us -uc
	@ls $(BUILD)/deb/*.deb

clean:
	rm -rf build build-asan build-tsan build-clang build-coverage build-compat build-fuzz $(BUILD)

-include $(shell find $(BUILD) -name deb -prune -o -type f -name '*.d' -print 2>/dev/null)
.PHONY: FORCE all programs programs6 fuzzers test faults fuzz torture soak real mutants demo bench bench-quick sanitize coverage compat tsan valgrind smp check install uninstall deb clean \
	check-setup check-gcc check-clang check-format check-shell check-cppcheck check-tidy
.DELETE_ON_ERROR:
