# The project's tasks; "make help" lists them.

GO            ?= go
GOLANGCI      ?= $(shell $(GO) env GOPATH)/bin/golangci-lint
GOLANGCI_WANT := 2.15.0
VERSION       ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# no_fs_access and the disabled operators keep rules from reading files, running programs and asking name servers.
TAGS          := no_fs_access,coraza.disabled_operators.rbl,coraza.disabled_operators.inspectFile
LDFLAGS       := -s -w -X github.com/fluent-bit-waf/fluent-bit-waf/filter.Version=$(VERSION)
OUT           := build/out
FUZZTIME      ?= 10s
BENCHTIME     ?= 1s
EQUALITY      ?= 1000000
RECORDED      ?= 2000
BENCH         ?= .
BENCH_RUNS    ?= 5
BENCH_RECORDS ?= 200
BENCH_FLAGS   ?=
UDP_FLAGS     ?=
TAIL_FLAGS    ?=
MEMORY_FLAGS  ?=
ARCHIVE_FLAGS ?=
KAFKA_FLAGS   ?=
PROXY_FLAGS   ?=
FTW_FLAGS     ?=
OTEL_FLAGS    ?=
SURVIVE       ?= 10m
# The race detector allocates and takes its time; these tests count allocations, or judge how long something takes.
NO_RACE       := Allocate|TakeNoLonger|SilentlyClean|FloodOfSmallRecords

export CGO_ENABLED := 1
# Go's build cache does not know that the plugin includes these files; a change of this flag has it compiled again.
export CGO_CPPFLAGS := -DWAF_PROPERTIES=$(shell cat plugin/host/*.inc | cksum | cut -d' ' -f1)

# The tests that print figures of faults.
FAULTS   := Slow|TakeNothing|TakenBack|Faults|Endless|Idle|UnderTraffic|LosesNo|TooLongFollows

.PHONY: faults build test ftw ftw-proxy recorded equality hosts lint tools generate incidents bench ablation bench-udp bench-tail bench-memory bench-archive bench-kafka bench-proxy bench-otel gobench fuzz survive sanitize e2e collector e2e-otel run screenshots clean help

build: ## the plugin (build/out/out_waf.so, its link and in_nano.so) and wafctl
	$(GO) build -tags $(TAGS) -trimpath -ldflags "$(LDFLAGS)" -buildmode=c-shared -o $(OUT)/out_waf.so ./plugin
	rm -f $(OUT)/out_waf.h
	ln -sf out_waf.so $(OUT)/flb-filter_waf.so
	$(CC) -O2 -Wall -Wextra -fPIC -fvisibility=hidden -D_GNU_SOURCE -shared -s -o $(OUT)/in_nano.so plugin/nano/in_nano.c -ldl
	$(GO) build -tags $(TAGS) -trimpath -ldflags "$(LDFLAGS)" -o $(OUT)/wafctl ./cmd/wafctl

# Tests mostly wait, or open rule sets, a third of which is the garbage collector's work; make lint vets.
test: ## everything that needs no Fluent Bit, in minutes: the rest of some tests is in equality, hosts and survive
	GOGC=400 $(GO) test -tags $(TAGS) -vet=off -p 4 -parallel 16 -timeout 30m ./...
	$(GO) -C otel test -tags $(TAGS) -timeout 30m ./...

ftw: ## the Core Rule Set's regression suite through the filter, all of it
	FTW=all $(GO) test -tags $(TAGS) -count=1 -timeout 60m -v -run TestCoreRuleSetSuite ./internal/ftw

ftw-proxy: build ## the same suite over the wire with go-ftw: wafctl proxy next to Coraza's handler, at paranoia 1 and 4
	cd test/ftw && $(GO) build -tags $(TAGS) -o ../../build/work/ftw-proxy .
	build/work/ftw-proxy $(FTW_FLAGS)

recorded: ## false alerts of the packs on recorded traffic: Chromium and Wget over RECORDED=2000 pages of Debian's *-doc packages, clients, tools, webhooks
	RECORDED=$(RECORDED) $(GO) test -tags $(TAGS) -count=1 -timeout 60m -v -run TestPacksAreQuietOnRecordedTraffic ./rules

equality: ## every layer and every verdict against plain Coraza, all cases of long tests, EQUALITY=1000000 mutations, and the suite
	EQUALITY=$(EQUALITY) $(GO) test -tags $(TAGS) -count=1 -timeout 0 -v ./filter/... ./rules/... ./internal/corazalink ./cmd/wafctl
	$(MAKE) ftw

faults: ## figures of slow, dying and hostile peers of wafctl proxy and wafctl auth
	@$(GO) test -tags $(TAGS) -count=1 -timeout 30m -v -run '$(FAULTS)' ./cmd/wafctl/proxy ./cmd/wafctl/auth ./cmd/wafctl/internal/inline | \
		grep -E '_test.go:[0-9]+: (a|an|of|on_error|[0-9]+) |^--- FAIL|^FAIL|^ok' | sed -E 's/^ +[a-z0-9_]+_test.go:[0-9]+: //'

hosts: ## the plugin in hosts under sanitizers, valgrind and Go's checks of pointers, and in hosts that lack a function
	SURVIVE=$(SURVIVE) $(GO) test -tags $(TAGS) -count=1 -timeout 60m -v ./plugin

lint: tools ## formatting, vet, golangci-lint, spelling and style of texts
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); test -z "$$unformatted" || { echo "gofmt -w $$unformatted"; exit 1; }
	CGO_CFLAGS=-Werror $(GO) vet -tags $(TAGS),e2e ./...
	$(GOLANGCI) run --allow-parallel-runners --build-tags $(TAGS),e2e ./...
	$(GO) -C otel vet -tags $(TAGS),e2e ./...
	cd otel && $(GOLANGCI) run --allow-parallel-runners --build-tags $(TAGS),e2e ./...
	$(GO) -C test/ftw vet -tags $(TAGS) ./...
	cd test/ftw && $(GOLANGCI) run --allow-parallel-runners --build-tags $(TAGS) ./...
	cd build/tools && $(GOLANGCI) run --allow-parallel-runners ./...
	$(GO) -C build/tools run ./prose $(CURDIR)
	@! command -v shellcheck >/dev/null || shellcheck .ci/run $$(git ls-files '*.sh')

tools: ## golangci-lint in the pinned version
	@$(GOLANGCI) version --short 2>/dev/null | grep -qx $(GOLANGCI_WANT) || \
		$(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(GOLANGCI_WANT)

generate: ## what is written from other files: the plugin's tables of properties, the configuration page, examples of pages
	$(GO) test -tags $(TAGS) -run TestConfigMap ./plugin -update
	$(GO) test -tags $(TAGS) -run 'Current|Pages' ./cmd/wafctl -update
	UPDATE_GOLDEN=1 $(GO) test -tags $(TAGS) -run 'TheSampleIsAnAlert|SampleBecomesTheAlert' ./filter
	UPDATE_GOLDEN=1 $(GO) test -tags $(TAGS) -run TestAlertsPage ./docs
	UPDATE_GOLDEN=1 $(GO) test -tags $(TAGS) -run TestThePageOfDirectivesIsCurrent ./rules
	$(GO) -C build/tools tool mdatagen $(CURDIR)/otel/wafprocessor/metadata.yaml
	$(GO) -C otel test -tags $(TAGS) -run TestTheSchemaIsCurrent ./wafprocessor -update

bench: ## compare with plain Coraza and libmodsecurity (BENCH_RUNS=5, BENCH_RECORDS=200, BENCH_FLAGS=-short)
	@mkdir -p build/work
	@if pkg-config --exists modsecurity 2>/dev/null; then \
		$(CC) -O2 -Wall -Wextra -o build/work/modsecurity bench/modsecurity/inspect.c $$(pkg-config --cflags --libs modsecurity); \
	else \
		rm -f build/work/modsecurity; echo "without libmodsecurity: its headers are not installed (Debian: libmodsecurity-dev)"; \
	fi
	$(GO) build -tags $(TAGS) -o build/work/bench ./bench
	build/work/bench -runs $(BENCH_RUNS) -records $(BENCH_RECORDS) $(BENCH_FLAGS) \
		$$(test ! -x build/work/modsecurity || echo -modsecurity build/work/modsecurity)

ablation: ## what each mechanism of the prefilter saves: builds that lack one, against one that has all (BENCH_RUNS=5, BENCH_FLAGS="-only DFA")
	@mkdir -p build/work
	$(GO) build -tags $(TAGS) -o build/work/bench ./bench
	build/work/bench -ablation -runs $(BENCH_RUNS) $(BENCH_FLAGS)

bench-udp: build ## datagrams through a real Fluent Bit: its input udp and the input nano in turn (BENCH_RUNS=5, UDP_FLAGS=-v)
	$(GO) build -o build/work/udp ./bench/udp
	build/work/udp -runs $(BENCH_RUNS) $(UDP_FLAGS)

bench-tail: build ## records a second from a file through a real Fluent Bit, with and without the filter (BENCH_RUNS=5, TAIL_FLAGS=-records 100000)
	$(GO) build -o build/work/tail ./bench/tail
	build/work/tail -runs $(BENCH_RUNS) $(TAIL_FLAGS)

bench-proxy: build ## requests through wafctl proxy, the same proxy without a WAF and with Coraza's handler, and nginx with libmodsecurity (BENCH_RUNS=5, PROXY_FLAGS=-html)
	$(GO) build -tags $(TAGS) -o build/work/bench-proxy ./bench/proxy
	build/work/bench-proxy -runs $(BENCH_RUNS) $(PROXY_FLAGS)

bench-memory: build ## resident memory of a real Fluent Bit with and without the filter (MEMORY_FLAGS="-long 10000000")
	$(GO) build -tags $(TAGS) -o build/work/memory ./bench/memory
	build/work/memory $(MEMORY_FLAGS)

bench-archive: build ## GB of compressed logs a minute through wafctl check and incidents, next to zcat and wc (ARCHIVE_FLAGS="-size 256 -cores 2")
	$(GO) build -o build/work/archive ./bench/archive
	build/work/archive $(ARCHIVE_FLAGS)

bench-kafka: build ## records a second through members of a Kafka consumer group, and what the broker costs (KAFKA_FLAGS="-records 200000 -members 2")
	$(GO) build -o build/work/kafka ./bench/kafka
	build/work/kafka $(KAFKA_FLAGS)
bench-otel: collector ## records a second and processor time from a log of nginx through a collector, with and without the processor waf (BENCH_RUNS=5, OTEL_FLAGS=-records 100000)
	$(GO) build -o build/work/bench-otel ./bench/otel
	build/work/bench-otel -runs $(BENCH_RUNS) $(OTEL_FLAGS)

gobench: ## Go benchmarks of single packages (BENCH=pattern, BENCHTIME=1s)
	$(GO) test -tags $(TAGS) -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) ./...

fuzz: ## every fuzz target for FUZZTIME each
	@grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -rn1 dirname | sort -u | while read -r package; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' $$package/*_test.go | cut -c6-); do \
			$(GO) -C $$package test -tags $(TAGS) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x . || exit 1; \
		done; \
	done

incidents: ## whole weeks of a cluster with planted attacks: what is found, when, and what is not, next to published rules; 10 M invented sources
	INCIDENTS=full $(GO) test -tags $(TAGS) -count=1 -timeout 60m -v -run 'TestWeek|InventedSources' ./filter/incident
	$(GO) test -tags $(TAGS) -run '^$$' -bench . -benchmem ./filter/incident

survive: build ## hostile input, faults and floods in full size; what runs for a while does so for SURVIVE=10m
	SURVIVE=$(SURVIVE) $(GO) test -tags $(TAGS) -count=1 -timeout 0 -v ./test/survive
	$(MAKE) sanitize
	$(GO) test -tags $(TAGS) -count=1 -timeout 30m ./filter/delivery ./filter/receive ./filter/flood
	$(GO) test -tags $(TAGS) -count=1 -timeout 30m -run 'Hostile|Broken|FailedLoads|Budget|InTime|Flood|Background|Queue|Alerts|Bounds|Reload' ./filter ./filter/pipeline ./filter/ruleset ./rules
	SURVIVE=$(SURVIVE) $(GO) test -tags $(TAGS),e2e -count=1 -timeout 0 -v \
		-run 'Survives|Terminated|Killed|Faults|Copies|Reload|Panic|Hangs|OnceItIsUp|RulesChange|Daemon|Flood|Nano' ./test/e2e

sanitize: build hosts ## C under sanitizers, valgrind and Go's checks of pointers, and the race detector on everything
	SURVIVE=$(SURVIVE) $(GO) test -tags $(TAGS),e2e -count=1 -timeout 30m -v -run 'NoPointer' ./test/e2e
	$(GO) test -race -tags $(TAGS) -count=1 -timeout 0 -p 1 -skip '$(NO_RACE)' ./...
	$(GO) -C otel test -race -tags $(TAGS) -count=1 -timeout 0 ./...

e2e: build ## against each real Fluent Bit found: $$FLUENT_BIT, PATH, /opt/fluent-bit*/bin
	$(GO) test -tags $(TAGS),e2e -count=1 -timeout 60m -v ./test/e2e

collector: ## an OpenTelemetry Collector with the processor waf, from otel/builder-config.yaml: build/work/otelcol/otelcol-waf
	@mkdir -p build/work
	cd otel && $$($(GO) -C ../build/tools tool -n builder) --config builder-config.yaml --ldflags "$(LDFLAGS)"

e2e-otel: build collector ## the processor waf in that collector: OTLP in and out, logs of nginx, verdicts equal to wafctl check, licenses
	$(GO) -C otel test -tags $(TAGS),e2e -count=1 -timeout 20m -v ./e2e
	$(GO) -C build/tools run ./sbom -o $(CURDIR)/build/work/otelcol/sbom.cdx.json otelcol-waf $(VERSION) $(CURDIR)/build/work/otelcol/otelcol-waf

run: build ## the pipeline on UDP 127.0.0.1:15155, with one sample replayed; ONCE=1 ends after its alert
	$(GO) build -o build/work/demo ./build/demo
	@build/work/demo $(if $(ONCE),-once)

screenshots: build ## docs/images, from what wafctl prints; takes chromium, jq, aha and pngquant
	build/screenshots.sh build/out/wafctl

clean: ## build outputs
	rm -rf build/out build/work

include build/ship.mk

help: ## this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | sed 's/\$$\$$/$$/g' | column -ts '|'
