# Patchcord: `make help` explains the targets. SAN=address or SAN=thread in front of any of them builds in a folder of its
# own with that sanitizer (SAN=fuzz is what `make fuzz` uses); V=1 shows the commands.

PREFIX  ?= /usr/local
BUILD   ?= build$(if $(SAN),-$(SAN))$(if $(STATIC),-static)
MINUTES ?= 10
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
SECONDS ?= 60
VERSION := $(shell cat VERSION)
Q       := $(if $(V),,@)

SANITIZE_address := -fsanitize=address,undefined -fno-sanitize-recover=undefined
SANITIZE_thread  := -fsanitize=thread
SANITIZE_fuzz    := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
SANITIZE := $(SANITIZE_$(SAN))
ifeq ($(SAN),fuzz)
CC := clang
endif

CC      ?= cc
OPT     ?= -O2 -g
CSTD    := -std=c17 -D_GNU_SOURCE
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Werror
HARDEN  := -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
ALL_CFLAGS  = $(CSTD) $(OPT) $(WARN) $(HARDEN) $(SANITIZE) -DPATCHCORD_VERSION='"$(VERSION)"' $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZE) $(LDFLAGS)

COMMON_PKGS := json-c libsodium libbsd libmd
RELAY_PKGS  := libmicrohttpd sqlite3 libpq libcurl gnutls
BRIDGE_PKGS := libcurl

COMMON_LIB := $(BUILD)/libcommon.a
RELAY_LIB  := $(BUILD)/librelay.a
BRIDGE_LIB := $(BUILD)/libbridge.a
BINARIES   := $(BUILD)/patchcord $(BUILD)/patchcord-relay

COMMON_SRC := $(wildcard common/*.c)
RELAY_SRC  := $(filter-out relay/main.c,$(wildcard relay/*.c relay/*/*.c))
BRIDGE_SRC := $(filter-out bridge/main.c,$(wildcard bridge/*.c bridge/*/*.c))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

# A unit test or fuzz target tests one program's parts: the bridge's where it includes one of its headers.
programs = $(patsubst %.c,$(BUILD)/%,$(1))
UNIT_TESTS := $(call programs,$(wildcard tests/unit/check_*.c))
WIRE_TESTS := $(call programs,$(wildcard tests/wire/wire_*.c))
FUZZERS    := $(call programs,$(wildcard tests/fuzz/fuzz_*.c))
HARNESS    := $(call obj,$(wildcard tests/harness*.c))
TORTURE    := $(BUILD)/tests/torture/torture
BENCHES    := $(call programs,$(wildcard tests/bench/bench_*.c))
OF_BRIDGE  := $(call programs,$(shell grep -l '"../../bridge/' tests/unit/*.c tests/fuzz/*.c tests/bench/*.c 2>/dev/null))
CLIENTS    := $(wildcard tests/clients/client_*.mjs)
SCRIPTS    := tests/check_layers.sh tests/check_docs.sh tests/check_shell.sh tests/check_manual.sh tests/torture/durability_strace.sh

.PHONY: all demo run test test-slow unit wire clients check install static dist fuzz fuzzers fuzz-build torture bench soak valgrind \
	container-check format clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BINARIES) ## build both programs into build/

# Made first, and make then starts again with it: what the build needs is installed where it is missing, and pkg-config is
# asked once.
QUIET_GOALS := help clean format
ifneq ($(filter-out $(QUIET_GOALS),$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/packages.mk
endif
$(BUILD)/packages.mk: Makefile install.sh
	@./install.sh --deps build
	@$(if $(STATIC),./install.sh --deps static && packaging/curl.sh $(BUILD)/libcurl)
	@mkdir -p $(@D)
	@{ echo "PKG_CFLAGS := $$(pkg-config --cflags $(COMMON_PKGS) $(RELAY_PKGS))"; \
	   echo "RELAY_LIBS := $$(pkg-config --libs $(RELAY_PKGS) $(COMMON_PKGS)) -lpthread"; \
	   echo "BRIDGE_LIBS := $$(pkg-config --libs $(BRIDGE_PKGS) $(COMMON_PKGS)) -lpthread"; \
	   echo "CHECK_LIBS := $$(pkg-config --libs check)"; } > $@
# STATIC=1: only the C library is linked dynamically, and in the relay HTTP and TLS, of which there is no static form.
ifdef STATIC
COMMON_STATIC := -l:libjson-c.a -l:libsodium.a -l:libbsd.a -l:libmd.a -lpthread
CURL_STATIC   := $(BUILD)/libcurl/lib/libcurl.a -l:libssl.a -l:libcrypto.a
RELAY_LIBS     = -lmicrohttpd -lgnutls -lpq -l:libsqlite3.a -lm $(CURL_STATIC) $(COMMON_STATIC)
BRIDGE_LIBS    = $(CURL_STATIC) $(COMMON_STATIC)
endif

$(BUILD)/.test-deps: install.sh
	@./install.sh --deps test
	@touch $@

$(BUILD)/patchcord: $(call obj,bridge/main.c) $(BRIDGE_LIB) $(COMMON_LIB)
	@echo '  LD  $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(BRIDGE_LIBS)
$(BUILD)/patchcord-relay: $(call obj,relay/main.c) $(RELAY_LIB) $(COMMON_LIB)
	@echo '  LD  $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(RELAY_LIBS)

$(COMMON_LIB): $(call obj,$(COMMON_SRC))
$(RELAY_LIB): $(call obj,$(RELAY_SRC)) $(BUILD)/obj/gen/migrations_sqlite.o $(BUILD)/obj/gen/migrations_postgres.o
$(BRIDGE_LIB): $(call obj,$(BRIDGE_SRC)) $(BUILD)/obj/gen/plugin_files.o
%.a:
	@rm -f $@
	@$(AR) rcs $@ $(filter %.o,$^)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo '  CC  $<'
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
# Embedded SQL is longer than the strings that ISO C promises; both compilers take it.
$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c
	@mkdir -p $(@D)
	@echo '  CC  $<'
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-overlength-strings -I. -c -o $@ $<
$(BUILD)/gen/migrations_%.c: migrations/embed.sh $(wildcard migrations/*/*.sql) relay/store/migration.h
	@mkdir -p $(@D)
	@sh migrations/embed.sh $* migrations/$*/*.sql > $@
# With its folders: a file that was taken away changes them alone.
$(BUILD)/gen/plugin_files.c: bridge/embed_plugin.sh bridge/plugin_files.h $(shell find bridge/plugin)
	@mkdir -p $(@D)
	@sh bridge/embed_plugin.sh bridge/plugin > $@

# ---- tests ----

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(RELAY_LIB) $(BRIDGE_LIB) $(COMMON_LIB)
	@mkdir -p $(@D)
	@echo '  LD  $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(filter %_rig.o,$^) $(if $(filter $@,$(OF_BRIDGE)),$(BRIDGE_LIB),$(RELAY_LIB)) \
		$(COMMON_LIB) $(RELAY_LIBS) $(CHECK_LIBS)
$(call programs,$(wildcard tests/unit/check_http*.c)): $(call obj,tests/unit/http_rig.c)
$(BUILD)/tests/wire/%: $(BUILD)/obj/tests/wire/%.o $(HARNESS) $(COMMON_LIB)
	@mkdir -p $(@D)
	@echo '  LD  $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(RELAY_LIBS) $(CHECK_LIBS)
# Preloaded into the programs under test, whatever they are built with.
FAULTS := $(BUILD)/tests/faults/faults.so
$(FAULTS): tests/faults/faults.c tests/faults/faults.h
	@mkdir -p $(@D)
	@echo '  LD  $@'
	$(Q)$(CC) $(CSTD) $(OPT) $(WARN) -fPIC -shared -o $@ $< -ldl
$(WIRE_TESTS) $(TORTURE): | $(FAULTS)
$(TORTURE): $(call obj,$(wildcard tests/torture/*.c)) $(HARNESS) $(COMMON_LIB)
	@mkdir -p $(@D)
	@echo '  LD  $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(RELAY_LIBS) $(CHECK_LIBS)
BENCH_PARTS := $(call obj,tests/bench/figures.c tests/bench/load.c tests/bench/raw.c)
$(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(BENCH_PARTS) $(HARNESS) $(RELAY_LIB) $(BRIDGE_LIB) $(COMMON_LIB)
	@mkdir -p $(@D)
	@echo '  LD  $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(if $(filter $@,$(OF_BRIDGE)),$(BRIDGE_LIB),$(RELAY_LIB)) $(COMMON_LIB) \
		$(RELAY_LIBS) $(CHECK_LIBS) -lm
$(BUILD)/tests/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(RELAY_LIB) $(BRIDGE_LIB) $(COMMON_LIB)
	@mkdir -p $(@D)
	@echo '  LD  $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< $(if $(filter $@,$(OF_BRIDGE)),$(BRIDGE_LIB),$(RELAY_LIB)) \
		$(COMMON_LIB) $(RELAY_LIBS)

# Beside what STORE is made of, where that is no file.
ON_STORE = $(if $(STORE),tests/$(STORE).sh)
RUN = PATCHCORD_BUILD=$(BUILD) SAN=$(SAN) tests/run -j $(JOBS)

# The slow starters come first, so that the quick ones fill the gaps beside them.
test: all $(BUILD)/.test-deps $(BUILD)/tests/demo/demo $(UNIT_TESTS) $(WIRE_TESTS) $(TORTURE) $(if $(SAN),,$(BENCHES) fuzz-build) ## all tests but the slow ones; ends with `N passed, N failed`
	@$(if $(SAN),,tests/clients/setup.sh $(BUILD)/clients)
	@$(RUN) $(if $(SAN),,$(CLIENTS)) $(TORTURE) $(WIRE_TESTS) tests/check_postgres.sh tests/check_supabase.sh $(if $(SAN),,tests/check_fuzz.sh $(SCRIPTS)) $(BUILD)/tests/demo/demo $(UNIT_TESTS)
test-slow: all $(BUILD)/.test-deps $(WIRE_TESTS) $(BUILD)/tests/demo/demo ## a wait of 3 minutes through nginx, a minute of chaos, 100 restarts, valgrind, the container's stages
	@tests/clients/setup.sh $(BUILD)/clients
	@NGINX_WAIT_SECONDS=180 CHAOS_SECONDS=60 SUBSCRIBE_RESTARTS=100 $(RUN) tests/clients/client_nginx.mjs \
		$(BUILD)/tests/wire/wire_chaos $(BUILD)/tests/wire/wire_subscribe \
		tests/valgrind.sh tests/container.sh
unit: all $(UNIT_TESTS) ## the unit tests alone
	@$(RUN) $(UNIT_TESTS)
wire: all $(BUILD)/.test-deps $(WIRE_TESTS) ## the tests that drive the two programs over sockets and pipes (STORE=postgres, STORE=supabase: on that)
	@export PATCHCORD_BUILD=$(BUILD); $(ON_STORE) env $(RUN) $(WIRE_TESTS)
clients: all $(BUILD)/.test-deps ## other people's programs: conformance suite, Inspector, Claude Code, Codex, SDK, Chromium, nginx
	@tests/clients/setup.sh $(BUILD)/clients
	@$(RUN) $(CLIENTS)
check: all ## layering, documentation and shell checks
	@$(RUN) $(SCRIPTS)
valgrind: all $(BUILD)/.test-deps $(BUILD)/tests/demo/demo ## a bridge session and a relay's start to stop under valgrind
	@$(RUN) tests/valgrind.sh
container-check: ## runs the Dockerfile's stages in a chroot, and serves from the result (as root; needs debootstrap)
	@$(RUN) tests/container.sh

fuzz-build: $(BUILD)/.test-deps
	@$(if $(shell command -v clang),$(MAKE) --no-print-directory SAN=fuzz fuzzers,echo "clang is not here: no fuzzing")
fuzzers: $(FUZZERS)
fuzz: fuzz-build ## fuzzes each target for SECONDS (60)
	@FUZZ_SECONDS=$(SECONDS) tests/check_fuzz.sh
torture: all $(TORTURE) ## kills, stops and cuts off relay and bridges under traffic for MINUTES (10), then counts what is missing (STORE=…)
	@export TORTURE_SECONDS=$$(($(MINUTES) * 60)) PATCHCORD_BUILD=$(BUILD); $(ON_STORE) $(TORTURE)
# The soak takes half an hour, and has a target of its own.
RESULTS := tests/bench/results
$(BUILD)/.bench-deps: install.sh
	@./install.sh --deps bench
	@touch $@
bench: all $(BUILD)/.test-deps $(BUILD)/.bench-deps $(BENCHES) $(BUILD)/tests/bench/report ## measures, into tests/bench/results; PLOT=1 draws the curves into docs/performance
	@$(MAKE) --no-print-directory static
	@mkdir -p $(RESULTS) $(if $(PLOT),docs/performance)
	@export BENCH_RESULTS=$(RESULTS) PATCHCORD_BUILD=$(BUILD) PATCHCORD_TEST_DIRECT=bench; \
	for bench in $(filter-out %/bench_soak %/bench_relays %/bench_round_trips,$(BENCHES)); do $$bench || exit 1; done; \
	PATCHCORD_BUILD=$(BUILD)-static $(BUILD)/tests/bench/bench_bridge || exit 1; \
	for bench in sends relays; do tests/postgres.sh $(BUILD)/tests/bench/bench_$$bench || exit 1; done; \
	for bench in sends round_trips; do tests/supabase.sh $(BUILD)/tests/bench/bench_$$bench || exit 1; done
	@tests/bench/peers/setup.sh $(BUILD)/peers
	@BENCH_RESULTS=$(RESULTS) PATCHCORD_BUILD=$(BUILD) $(BUILD)/peers/node tests/bench/peers/peers.mjs
	@$(BUILD)/tests/bench/report $(RESULTS) $(if $(PLOT),docs/performance)
soak: all $(BUILD)/tests/bench/bench_soak ## half of the maximum rate for SOAK_MINUTES (30)
	@BENCH_RESULTS=$(RESULTS) PATCHCORD_BUILD=$(BUILD) $(BUILD)/tests/bench/bench_soak

# ---- what people run ----

demo: all $(BUILD)/tests/demo/demo ## two agents talk through a relay, before your eyes
	@PATCHCORD_BUILD=$(BUILD) $(BUILD)/tests/demo/demo
$(BUILD)/tests/demo/demo: $(BUILD)/obj/tests/demo/demo.o $(HARNESS) $(COMMON_LIB)
	@mkdir -p $(@D)
	@echo '  LD  $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(RELAY_LIBS) $(CHECK_LIBS)

run: all ## a relay on port 8000; its data stays in ~/.local/share/patchcord (as root: /var/lib/patchcord)
	@$(BUILD)/patchcord-relay serve

install: all ## installs both programs, their man pages and shell completions below DESTDIR and PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BINARIES) $(DESTDIR)$(PREFIX)/bin
	@packaging/manual.sh $(BUILD) $(DESTDIR)$(PREFIX)/share

static: ## both programs with their libraries inside, into build-static/: they start faster and need less memory
	@$(MAKE) --no-print-directory STATIC=1 all

dist: static ## archives of the source and of the programs, and SHA256SUMS, in dist/
	@packaging/dist.sh

format: ## lays the C files out by .clang-format
	clang-format -i $$(git ls-files '*.c' '*.h')

clean: ## removes everything that was built
	rm -rf build build-* dist

help: ## this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo '  PREFIX=/usr/local DESTDIR=   where `make install` puts the programs: PREFIX/bin below DESTDIR'
	@echo '  SAN=address, SAN=thread      builds and tests with sanitizers, in a folder of its own: make SAN=address unit'
	@echo '  JOBS=2 V=1                   how many tests run at a time; shows the commands'

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
