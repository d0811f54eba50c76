# Rollcall: two programs, one library. `make help` lists the targets.
#
#   DEBUG=1   ASan + UBSan into build/debug instead of build/
#   CC=clang  another compiler (its own objects: run `make clean` between)
#   V=1       show the commands

CC      ?= gcc
PYTHON  ?= /usr/bin/python3
Q       := $(if $(V),,@)
BUILD   := $(if $(DEBUG),build/debug,build)
GEN     := build/generated
VERSION := 0.1.0

PACKAGES := libpq libevent_pthreads libevent json-c libssl libcrypto xlsxwriter
WORKER_PACKAGES := libzip expat libseccomp libcurl
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wformat=2 -Wconversion -Wno-missing-field-initializers -Werror
HARDENING := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
SANITIZERS := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined

CFLAGS  ?= -g
CPPFLAGS += -D_GNU_SOURCE -DROLLCALL_VERSION='"$(VERSION)"' \
            $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I $(PACKAGES) $(WORKER_PACKAGES)))
ALL_CFLAGS = -std=c11 -fms-extensions $(CFLAGS) $(WARNINGS) $(if $(DEBUG),$(SANITIZERS),$(HARDENING)) -MMD -MP
LDFLAGS += $(if $(DEBUG),$(SANITIZERS),-pie -Wl,-z,relro -Wl,-z,now)
LDLIBS   = $(shell pkg-config --libs $(PACKAGES)) -largon2 -lcrypt -lpthread
WORKER_LDFLAGS = -Wl,--export-dynamic-symbol=connect
WORKER_LDLIBS  = $(shell pkg-config --libs $(WORKER_PACKAGES)) -lesmtp -lcsv -lm

# Each part sees common/ and itself, nothing else (DESIGN.md §1).
INCLUDES_common := -Icommon -I$(GEN)
INCLUDES_server := -Iserver -Icommon -I$(GEN)
INCLUDES_worker := -Iworker -Icommon -I$(GEN)

COMMON_SOURCES := $(wildcard common/*.c)
SERVER_SOURCES := $(wildcard server/*.c)
WORKER_SOURCES := $(wildcard worker/*.c)
GENERATED_COMMON := $(GEN)/queries.c $(GEN)/migrations.c
GENERATED_SERVER := $(GEN)/page.c $(GEN)/openapi.c
GENERATED_WORKER := $(GEN)/template.c

objects = $(patsubst %.c,$(BUILD)/objects/%.o,$(1))
COMMON_OBJECTS := $(call objects,$(COMMON_SOURCES) $(GENERATED_COMMON))
SERVER_OBJECTS := $(call objects,$(SERVER_SOURCES) $(GENERATED_SERVER))
WORKER_OBJECTS := $(call objects,$(WORKER_SOURCES) $(GENERATED_WORKER))

.PHONY: all help clean lint format unit unit-programs test test-programs fuzz bench-quick bench-list bench-import endurance
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/rollcall-server $(BUILD)/rollcall-worker ## build both programs

.PHONY: deb
deb: all ## a Debian package of both programs, in build/
	deploy/package $(VERSION)

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(BUILD)/rollcall-server: $(SERVER_OBJECTS) $(BUILD)/libcommon.a
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/rollcall-worker: $(WORKER_OBJECTS) $(BUILD)/libcommon.a
	$(Q)$(CC) $(LDFLAGS) $(WORKER_LDFLAGS) -o $@ $^ $(WORKER_LDLIBS) $(LDLIBS)

$(BUILD)/libcommon.a: $(COMMON_OBJECTS)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/objects/common/%.o: common/%.c $(GEN)/queries.h
	@mkdir -p $(@D) && echo '  CC    $<'
	$(Q)$(CC) $(INCLUDES_common) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<
$(BUILD)/objects/server/%.o: server/%.c $(GEN)/queries.h
	@mkdir -p $(@D) && echo '  CC    $<'
	$(Q)$(CC) $(INCLUDES_server) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<
$(BUILD)/objects/worker/%.o: worker/%.c $(GEN)/queries.h
	@mkdir -p $(@D) && echo '  CC    $<'
	$(Q)$(CC) $(INCLUDES_worker) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<
$(BUILD)/objects/$(GEN)/%.o: $(GEN)/%.c
	@mkdir -p $(@D) && echo '  CC    $<'
	$(Q)$(CC) -Iserver -Iworker $(INCLUDES_common) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# SQL, pages, mail texts and the OpenAPI document travel inside the binaries.
$(GEN)/queries.c $(GEN)/queries.h &: sql/embed.py $(wildcard sql/queries/*.sql)
	@mkdir -p $(GEN)
	$(Q)$(PYTHON) sql/embed.py queries $(GEN) sql/queries/*.sql
$(GEN)/migrations.c: sql/embed.py $(wildcard sql/migrations/*.sql)
	@mkdir -p $(GEN)
	$(Q)$(PYTHON) sql/embed.py migrations $(GEN) sql/migrations/*.sql
$(GEN)/page.c: sql/embed.py $(wildcard server/pages/*)
	@mkdir -p $(GEN)
	$(Q)$(PYTHON) sql/embed.py pages $(GEN) server/pages
$(GEN)/template.c: sql/embed.py $(wildcard worker/templates/*/* worker/templates/*.*)
	@mkdir -p $(GEN)
	$(Q)$(PYTHON) sql/embed.py templates $(GEN) worker/templates

$(GEN)/openapi/openapi.json: server/openapi/assemble.py $(wildcard server/openapi/*.yaml)
	$(Q)$(PYTHON) server/openapi/assemble.py $(VERSION) $@ $(filter %.yaml,$^)
$(GEN)/openapi.c: sql/embed.py $(GEN)/openapi/openapi.json
	$(Q)$(PYTHON) sql/embed.py openapi $(GEN) $(GEN)/openapi

# Unit tests: one binary per module, tests/unit/test_NAME.c, under the sanitizers.
UNIT_SOURCES := $(wildcard tests/unit/test_*.c)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SOURCES))
$(BUILD)/objects/tests/%.o: tests/%.c $(GEN)/queries.h
	@mkdir -p $(@D) && echo '  CC    $<'
	$(Q)$(CC) -Iserver -Iworker $(INCLUDES_common) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<
# Every object but the two mains: a unit test may reach into server/ or worker/.
TESTABLE := $(filter-out %/server/main.o %/worker/main.o,$(SERVER_OBJECTS) $(WORKER_OBJECTS))
$(BUILD)/libtestable.a: $(TESTABLE)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^
$(BUILD)/unit/%: $(BUILD)/objects/tests/unit/%.o $(BUILD)/libtestable.a $(BUILD)/libcommon.a
	@mkdir -p $(@D) && echo '  CC    $<'
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(WORKER_LDLIBS) $(LDLIBS)
unit-programs: $(UNIT_TESTS)

# Programs that the Python tests drive: tests/worker/*_probe.c, and tests/api/contract_probe.c.
$(BUILD)/tests/contract_probe: $(BUILD)/objects/tests/api/contract_probe.o $(BUILD)/libtestable.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(WORKER_LDLIBS) $(LDLIBS)
$(BUILD)/tests/%: $(BUILD)/objects/tests/worker/%.o $(BUILD)/libtestable.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(WORKER_LDFLAGS) -Wl,--export-dynamic-symbol=getaddrinfo -o $@ $^ $(WORKER_LDLIBS) $(LDLIBS)
test-programs: $(BUILD)/tests/mailer_probe $(BUILD)/tests/parser_probe $(BUILD)/tests/report_probe $(BUILD)/tests/contract_probe

unit: ## build and run the unit tests under ASan + UBSan
	$(MAKE) DEBUG=1 unit-programs
	@failed=0; for t in $(patsubst tests/unit/%.c,build/debug/unit/%,$(UNIT_SOURCES)); do $$t || failed=1; done; exit $$failed

# Fuzzers: clang's libFuzzer over the sources that they need, for FUZZ_SECONDS each. What a run
# finds on its way stays in build/fuzz/corpus/, so the next one goes on there, a crash in
# build/fuzz/. What was found in another clone comes from tests/fuzz/found.tar.gz (fuzz-keep puts
# it there); the seeds are in tests/fuzz/corpus/. Each fuzzer: the sources,
# the longest input, libraries.
FUZZ_SECONDS ?= 10
TEXTS := common/buffer.c common/memory.c common/utf8.c
fuzz_photo_of       := $(wildcard common/photo*.c) common/buffer.c common/memory.c
fuzz_csv_of         := worker/charset.c worker/row_writer.c worker/parse_csv.c worker/parse_xlsx.c $(wildcard worker/xlsx_*.c) \
                       common/memory.c common/utf8.c
fuzz_xlsx_of        := $(fuzz_csv_of)
fuzz_bounce_of      := common/bounce.c common/mime.c common/mime_coding.c common/encode.c common/uuid.c $(TEXTS)
fuzz_message_of     := worker/message.c common/encode.c common/mime.c common/mime_coding.c $(TEXTS)
fuzz_json_of        := common/json.c common/json_guard.c $(TEXTS)
fuzz_text_of        := common/text.c common/log.c $(TEXTS)
fuzz_token_of       := common/token.c common/encode.c common/uuid.c $(fuzz_text_of)
fuzz_phc_of         := common/password_phc.c common/encode.c $(TEXTS)
fuzz_client_text_of := server/client_text.c common/entity_tag.c server/language.c common/encode.c common/uuid.c $(TEXTS)
fuzz_path_of        := server/router.c common/encode.c common/uuid.c $(TEXTS)
fuzz_photo_max := 8192
fuzz_xlsx_max  := 16384
fuzz_bounce_max := 8192
fuzz_csv_libs  := -lcsv -lzip -lexpat -lz -lm
fuzz_xlsx_libs := $(fuzz_csv_libs)
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

define fuzzer
build/fuzz/fuzz_$(1): tests/fuzz/fuzz_$(1).c tests/fuzz/fuzz.h $(fuzz_$(1)_of) $(wildcard $(patsubst %.c,%.h,$(fuzz_$(1)_of)) worker/parser*.h) | $(GEN)/queries.h
	@mkdir -p $$(@D) && echo '  FUZZ  $$<'
	$(Q)clang -std=c11 -fms-extensions -Wno-microsoft-anon-tag -g -O1 $(WARNINGS) -D_GNU_SOURCE \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-Itests/fuzz -Iserver -Iworker $(INCLUDES_common) $(FUZZ_INCLUDES) -o $$@ $$(filter %.c,$$^) $(fuzz_$(1)_libs) -ljson-c -largon2 -lcrypto -lpthread
fuzz-$(subst _,-,$(1)): build/fuzz/fuzz_$(1) build/fuzz/corpus/.unpacked
	@mkdir -p build/fuzz/corpus/$(1)
	$(Q)build/fuzz/fuzz_$(1) -max_total_time=$$(FUZZ_SECONDS) -max_len=$(or $(fuzz_$(1)_max),4096) -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/ build/fuzz/corpus/$(1) tests/fuzz/corpus/$(1)
.PHONY: fuzz-$(subst _,-,$(1))
endef
FUZZ_INCLUDES := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I $(PACKAGES) $(WORKER_PACKAGES)))
$(foreach name,$(FUZZERS),$(eval $(call fuzzer,$(name))))
# Once, though tests/run starts several fuzzers at a time.
build/fuzz/corpus/.unpacked: tests/fuzz/found.tar.gz
	@mkdir -p $(@D) && flock $(@D) sh -c '[ $@ -nt $< ] || { tar -xzf $< -C $(@D) && touch $@; }'
.PHONY: fuzz-keep
fuzz-keep: $(FUZZERS:%=build/fuzz/fuzz_%) ## what the fuzzers found, into the tree: the next clone goes on from there
	tests/fuzz/keep $(FUZZERS)
fuzz: $(foreach name,$(FUZZERS),fuzz-$(subst _,-,$(name))) ## all fuzzers, FUZZ_SECONDS (10) each; fuzz-NAME for one of them

test: ## everything that `tests/run` runs
	tests/run

bench-quick: all ## ratios against pgbench and the raw hash, under two minutes
	$(PYTHON) tests/bench/quick.py

bench-list: all ## pages and searches in an organization of a million; some minutes
	$(PYTHON) tests/bench/list.py

bench-import: all ## an import of 100,000 people, from its dry run to its undoing; some minutes
	$(PYTHON) tests/bench/imports.py

MINUTES ?= 30
endurance: all ## a mixed load while processes die: nothing acknowledged may be lost (MINUTES=30)
	$(PYTHON) tests/faults/endurance.py --minutes $(MINUTES)

lint: ## formatting, clang-tidy, cppcheck, ruff-clean Python, shellcheck
	tests/lint

format: ## put indentation and spacing right
	tests/format --fix

clean: ## remove what was built
	rm -rf build

-include $(shell find build -name '*.d' -type f 2>/dev/null)
