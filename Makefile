# make demo    watch a server error travel from a container to S3
# make test    everything: unit, integration, end to end; needs root and Docker
# make chaos   the tests of make test that break something, in their long form
# make soak    ten minutes of containers that come and go; SOAK=1h for longer
# make check   the quick ones: format, vet, lint, unit tests
# make bench   measure, and write docs/performance.md; QUICK=1 for a rough look
# make bench-guard   fail where logfast became slower, in ratios
# make vuln    known vulnerabilities in what is called; wants their database
# make licenses  the licences of what is linked, to build/LICENSES
# make install the program on this host, PREFIX=/usr/local, with completion for bash
# make plugin  build the plugin; one that is there keeps its settings
# make enable, make disable
#              LOGS=/data/log CONFIG=/root/logfast: its directories on this host
# make release   build/release: amd64 and arm64, SBOMs, SHA256SUMS; VERSION=0.1.0
# make push REPOSITORY=registry.example.com/logfast   push that release
# make test-engines  the end-to-end tests on other Docker engines, built here
PLUGIN  ?= logfast:latest
VERSION ?= 0.1.0
LOGS    ?=
CONFIG  ?=

VERSITYGW     := github.com/versity/versitygw/cmd/versitygw@v1.8.0
RCLONE        := github.com/rclone/rclone@v1.69.1
BENCHSTAT     := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
REGISTRY      := github.com/distribution/distribution/v3/cmd/registry@v3.0.0
GOVULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.9.0
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# Without -funcalign the linker aligns to 32 bytes, which costs 200 kB.
export LDFLAGS := -s -w -funcalign=16
export CGO_ENABLED = 0
SOURCES := $(shell find cli driver internal plugin -name '*.go' -not -name '*_test.go') main.go go.mod go.sum

.PHONY: build install uninstall plugin tree enable disable release push demo test engines test-engines chaos soak check static fmt lint vuln licenses fuzz bench bench-guard tools clean

build: build/logfast

build/logfast: $(SOURCES)
	go build -trimpath -ldflags '$(LDFLAGS) -X github.com/logfast/logfast/cli.Version=$(VERSION)' -o $@ .

PREFIX  ?= /usr/local
DESTDIR ?=
BASH_COMPLETION := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
install: build
	install -D -m 0755 build/logfast $(DESTDIR)$(PREFIX)/bin/logfast
	mkdir -p $(BASH_COMPLETION)
	build/logfast completion bash > $(BASH_COMPLETION)/logfast

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/logfast $(BASH_COMPLETION)/logfast

plugin: build
	scripts/create-plugin.sh $(PLUGIN)

# What docker plugin create and scripts/install.sh take.
tree: build
	scripts/tree.sh build/logfast build/plugin

release:
	scripts/release.sh $(VERSION)

push:
	scripts/push.sh $(VERSION) $(REPOSITORY)

enable:
	scripts/enable-plugin.sh $(PLUGIN) "$(LOGS)" "$(CONFIG)"

disable:
	docker plugin disable $(PLUGIN)

demo: export LOGFAST_DEMO_STARTED := $(shell date +%s)
demo: build .tools/bin/versitygw
	@demo/run.sh clean
	@scripts/create-plugin.sh logfast-demo
	@demo/run.sh

# Race detection needs cgo, and with it a C compiler. The command line's tests
# start it hundreds of times, which takes half a minute for each second so.
test: build compose .tools/bin/versitygw .tools/bin/rclone .tools/bin/registry .tools/bin/promtool
	CGO_ENABLED=1 go test -count=1 -race . ./driver/... ./internal/... ./plugin/...
	go test -count=1 -run Linear ./driver/triage/... # what they count differs with race detection
	go test -count=1 ./cli/...
	go test -count=1 -tags integration -run "$$(scripts/tests-of.sh integration)" ./driver/...
	test/selinux/prepare.sh
	go test -count=1 -tags selinux -v ./test/selinux/
	cd test/duckdb && CGO_ENABLED=1 go test -count=1 -v .
	go test -count=1 -tags e2e -timeout 40m -skip '^TestSoak$$' -v ./test/e2e/

# The end-to-end tests on engines that this builds, with the containerd and runc
# that both run with, moby v2 with cgroup v2. What was built stays in .tools.
# ENGINES=v28.5.2 RUN=TestEveryByte for less.
NEWEST  := v2.0.0-beta.24
ENGINES ?= v28.5.2 $(NEWEST)
RUN     ?= .
engines test-engines: export CONTAINERD := v2.4.2
engines test-engines: export RUNC := v1.5.2
engines: seccomp
	set -e; for engine in $(ENGINES); do scripts/build-engine.sh $$engine; done

test-engines: engines build compose .tools/bin/versitygw .tools/bin/registry
	set -e; for engine in $(ENGINES); do \
		case $$engine in v2.*) export CGROUP=v2 ;; *) unset CGROUP ;; esac; \
		scripts/with-engine.sh .tools/engines/$$engine go test -count=1 -tags e2e -timeout 30m -run '$(RUN)' -skip '^TestSoak$$' -v ./test/e2e/; \
	done

CHAOS := UnderLoad|EngineRestarts|Disk|Soak
chaos: export LOGFAST_TEST_LONG := 1
chaos: build .tools/bin/versitygw .tools/bin/registry
	go test -count=1 -run StartingAndStopping -v ./plugin/
	go test -count=1 -tags e2e -timeout 60m -run '$(CHAOS)' -v ./test/e2e/

SOAK ?= 10m
soak: export LOGFAST_TEST_SOAK := $(SOAK)
soak: export LOGFAST_TEST_LONG := 1
soak: build .tools/bin/versitygw
	go test -count=1 -tags e2e -timeout 0 -run '^TestSoak$$' -v ./test/e2e/

check: static
	go test -count=1 .
	go test ./cli/... ./driver/... ./internal/... ./plugin/...

static: lint
	go mod verify
	go vet -tags e2e,integration,selinux ./...

fmt:
	gofmt -w $(shell git ls-files '*.go')

lint: .tools/bin/golangci-lint
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not formatted (make fmt): $$unformatted"; exit 1; fi
	.tools/bin/golangci-lint run --build-tags e2e,integration,selinux ./...

vuln: .tools/bin/govulncheck
	scripts/vuln.sh .tools/bin/govulncheck

licenses:
	scripts/licenses.sh build/LICENSES

FUZZTIME ?= 60s
fuzz:
	scripts/fuzz.sh $(FUZZTIME)

# LINES=1000000, RUNS=5, ONLY=busy,latency: see build/benchmark -h. The program
# is run by itself: go run would not wait for it to clean up after ^C.
bench: build/benchmark build .tools/bin/benchstat
	@build/benchmark $(if $(QUICK),-quick) $(if $(LINES),-lines $(LINES)) $(if $(RUNS),-runs $(RUNS)) $(if $(ONLY),-only $(ONLY))

bench-guard: build/benchmark build
	@build/benchmark -guard

.PHONY: build/benchmark
build/benchmark:
	go build -trimpath -o $@ ./bench

# Servers and tools are no part of the product: they have no place in go.mod.
tools: .tools/bin/versitygw .tools/bin/rclone .tools/bin/registry .tools/bin/promtool .tools/bin/golangci-lint .tools/bin/benchstat

.PHONY: compose
compose:
	@command -v docker-compose >/dev/null || { apt-get update -q && apt-get install -yq --no-install-recommends docker-compose; }

.PHONY: seccomp
seccomp:
	@pkg-config --exists libseccomp || { apt-get update -q && apt-get install -yq --no-install-recommends gcc libc6-dev pkg-config libseccomp-dev; }

.tools/bin/versitygw:
	GOBIN=$(CURDIR)/.tools/bin go install $(VERSITYGW)

.tools/bin/rclone:
	GOBIN=$(CURDIR)/.tools/bin go install $(RCLONE)

.tools/bin/benchstat:
	GOBIN=$(CURDIR)/.tools/bin go install $(BENCHSTAT)

.tools/bin/registry:
	GOBIN=$(CURDIR)/.tools/bin go install $(REGISTRY)

.tools/bin/govulncheck:
	GOBIN=$(CURDIR)/.tools/bin go install $(GOVULNCHECK)

.tools/bin/promtool:
	scripts/promtool.sh $@

.tools/bin/golangci-lint:
	GOBIN=$(CURDIR)/.tools/bin go install $(GOLANGCI_LINT)

clean:
	rm -rf build .tools .demo
