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

.PHONY: all help clean lint format unit unit-programs test test-programs fuzz-photo fuzz-csv fuzz-xlsx fuzz-bounce fuzz-message bench-quick bench-list bench-import endurance
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

# Fuzzers: clang's libFuzzer over the sources that they need. What a run finds on its way
# stays in build/fuzz/corpus/, a crash in build/fuzz/; the seeds in tests/fuzz/corpus/.
FUZZ_SECONDS ?= 10
PHOTO_SOURCES := $(wildcard common/photo*.c) common/buffer.c common/memory.c
build/fuzz/fuzz_photo: tests/fuzz/fuzz_photo.c $(PHOTO_SOURCES) $(wildcard common/photo*.h)
	@mkdir -p $(@D) && echo '  FUZZ  $<'
	$(Q)clang -std=c11 -g -O1 $(WARNINGS) -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-Icommon -o $@ $(filter %.c,$^)
fuzz-photo: build/fuzz/fuzz_photo ## fuzz what photos are cleaned with, for FUZZ_SECONDS
	@mkdir -p build/fuzz/corpus/photo
	$(Q)build/fuzz/fuzz_photo -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/ build/fuzz/corpus/photo tests/fuzz/corpus/photo

PARSE_SOURCES := worker/charset.c worker/row_writer.c worker/parse_csv.c worker/parse_xlsx.c $(wildcard worker/xlsx_*.c) \
	common/memory.c common/utf8.c
PARSE_HEADERS := $(patsubst %.c,%.h,$(PARSE_SOURCES)) worker/parser.h worker/parser_fault.h
build/fuzz/fuzz_csv build/fuzz/fuzz_xlsx: build/fuzz/%: tests/fuzz/%.c $(PARSE_SOURCES) $(PARSE_HEADERS)
	@mkdir -p $(@D) && echo '  FUZZ  $<'
	$(Q)clang -std=c11 -g -O1 $(WARNINGS) -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-Iworker -Icommon -o $@ $(filter %.c,$^) -lcsv -lzip -lexpat -lz -lm
fuzz-csv: build/fuzz/fuzz_csv ## fuzz what CSV files are read with, for FUZZ_SECONDS
	@mkdir -p build/fuzz/corpus/csv
	$(Q)build/fuzz/fuzz_csv -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/ build/fuzz/corpus/csv tests/fuzz/corpus/csv
fuzz-xlsx: build/fuzz/fuzz_xlsx ## fuzz what XLSX workbooks are read with, for FUZZ_SECONDS
	@mkdir -p build/fuzz/corpus/xlsx
	$(Q)build/fuzz/fuzz_xlsx -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/ build/fuzz/corpus/xlsx tests/fuzz/corpus/xlsx

BOUNCE_SOURCES := common/bounce.c common/mime.c common/encode.c common/buffer.c common/memory.c common/utf8.c common/uuid.c
MESSAGE_SOURCES := worker/message.c common/encode.c common/mime.c common/buffer.c common/memory.c common/utf8.c
build/fuzz/fuzz_bounce: $(BOUNCE_SOURCES) $(BOUNCE_SOURCES:.c=.h)
build/fuzz/fuzz_message: $(MESSAGE_SOURCES) $(MESSAGE_SOURCES:.c=.h)
build/fuzz/fuzz_bounce build/fuzz/fuzz_message: build/fuzz/%: tests/fuzz/%.c
	@mkdir -p $(@D) && echo '  FUZZ  $<'
	$(Q)clang -std=c11 -g -O1 $(WARNINGS) -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-Iworker -Icommon -o $@ $(filter %.c,$^) -lcrypto
fuzz-bounce: build/fuzz/fuzz_bounce ## fuzz what delivery reports are read with, for FUZZ_SECONDS
	@mkdir -p build/fuzz/corpus/bounce
	$(Q)build/fuzz/fuzz_bounce -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/ build/fuzz/corpus/bounce tests/fuzz/corpus/bounce
fuzz-message: build/fuzz/fuzz_message ## fuzz what mails are put together with, for FUZZ_SECONDS
	@mkdir -p build/fuzz/corpus/message
	$(Q)build/fuzz/fuzz_message -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/ build/fuzz/corpus/message tests/fuzz/corpus/message

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
