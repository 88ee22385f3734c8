# Patchcord: `make help` explains the targets.

PREFIX  ?= /usr/local
BUILD   ?= build$(if $(SAN),-$(SAN))
VERSION := $(shell cat VERSION)

CC      ?= cc
CSTD    := -std=c17 -D_GNU_SOURCE
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Werror
HARDEN  := -fstack-protector-strong -fPIE
OPT     ?= -O2 -g
comma := ,
SANITIZE := $(if $(filter address,$(SAN)),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined)
SANITIZE := $(SANITIZE)$(if $(filter thread,$(SAN)),-fsanitize=thread)
FORTIFY := $(if $(SAN),,-D_FORTIFY_SOURCE=2)

COMMON_PKGS := json-c libsodium libbsd libmd
RELAY_PKGS  := libmicrohttpd sqlite3 libcurl gnutls
BRIDGE_PKGS := libcurl

CFLAGS  ?=
ALL_CFLAGS = $(CSTD) $(OPT) $(WARN) $(HARDEN) $(FORTIFY) $(SANITIZE) -DPATCHCORD_VERSION='"$(VERSION)"' -I$(BUILD)/gen \
	$(shell pkg-config --cflags $(COMMON_PKGS) $(RELAY_PKGS)) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)

COMMON_SRC := $(wildcard common/*.c)
RELAY_SRC  := $(filter-out relay/main.c,$(wildcard relay/*.c relay/*/*.c))
BRIDGE_SRC := $(filter-out bridge/main.c,$(wildcard bridge/*.c bridge/*/*.c))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

COMMON_LIB := $(BUILD)/libcommon.a
RELAY_LIB  := $(BUILD)/librelay.a
BRIDGE_LIB := $(BUILD)/libbridge.a

BINARIES := $(BUILD)/patchcord $(BUILD)/patchcord-relay
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/check_*.c))
WIRE_TESTS := $(patsubst tests/wire/%.c,$(BUILD)/tests/%,$(wildcard tests/wire/wire_*.c))

all: $(BINARIES) ## build both programs into build/

$(BUILD)/patchcord: $(call obj,bridge/main.c) $(BRIDGE_LIB) $(COMMON_LIB)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs $(BRIDGE_PKGS) $(COMMON_PKGS)) -lpthread

$(BUILD)/patchcord-relay: $(call obj,relay/main.c) $(RELAY_LIB) $(COMMON_LIB)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs $(RELAY_PKGS) $(COMMON_PKGS)) -lpthread

$(COMMON_LIB): $(call obj,$(COMMON_SRC))
$(RELAY_LIB): $(call obj,$(RELAY_SRC)) $(BUILD)/obj/gen/migrations_sqlite.o
$(BRIDGE_LIB): $(call obj,$(BRIDGE_SRC))
%.a:
	@rm -f $@
	$(AR) rcs $@ $(filter %.o,$^)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The SQL travels inside the relay: an array of {name, text}, in order.
$(BUILD)/gen/migrations_%.c: migrations/embed.sh $(wildcard migrations/*/*.sql)
	@mkdir -p $(@D)
	sh migrations/embed.sh $* migrations/$*/*.sql > $@.new && mv $@.new $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
