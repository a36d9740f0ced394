SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

BUF := $(CURDIR)/tools/node_modules/.bin/buf
RACE := ./txn/... ./locks/... ./mvcc/... ./coordinator/... ./shard/...
SEEDS ?= 20000
PLANS ?= 3
KILLS ?= 10
CRASHES ?= 5000
LOSSES ?= 500
ROUNDS ?= 10
MODEL_STEPS ?= 10000
RANGE_KEYS ?= 1000000
MINUTES ?= 30
# Flags for every measurement besides its own, such as --rounds 1 --last 1s.
BENCH ?=

.PHONY: help
help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 24

.PHONY: test
test: ## All tests of the quick tier
	go test ./...

.PHONY: race
race: ## The pure packages, and one short simulator run, under the race detector
	go test -race $(RACE)
	go test -race ./jepsen/sim/ -run TestShort

.PHONY: lint
lint: $(BUF) ## golangci-lint and buf; not part of CI
	@command -v golangci-lint > /dev/null || { echo "make lint needs golangci-lint v2.12" >&2; exit 1; }
	golangci-lint run
	cd proto && $(BUF) lint
	cd proto && $(BUF) breaking --against '../.git#branch=main,subdir=proto'

.PHONY: generate
generate: $(BUF) ## Generate Go from proto/cairn/v1 into proto/gen, and docs/reference
	cd proto && $(BUF) lint && $(BUF) generate
	$(MAKE) reference

.PHONY: reference
reference: ## Make docs/reference of proto/cairn/v1 and of the cases
	go run ./conformance/reference

.PHONY: check-generated
check-generated: $(BUF) ## Fail if generated code is not what the .proto files say
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	cd proto && $(BUF) lint && $(BUF) generate --output "$$dir" && diff -ru gen "$$dir/gen" || \
	{ echo "check-generated: the .proto files do not pass buf, or proto/gen is not what they say:" \
	"run make generate" >&2; exit 1; }

$(BUF): tools/package.json tools/package-lock.json | node
	npm ci --prefix tools
	@touch $@

.PHONY: node
node:
	@for tool in node npm; do command -v $$tool > /dev/null || { echo "$$tool is missing: buf," \
	"which makes and checks the generated code, comes from npm; install Node.js" >&2; exit 1; }; done

.PHONY: bench
bench: ## All benchmarks
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-guard
bench-guard: ## Key workloads against the commit before, by turns; fails below 0.9 of it
	go run ./bench guard $(BENCH)

.PHONY: bench-report
bench-report: ## Both sides of the targets, into docs/performance.md and README.md; takes an hour
	go run ./bench vs etcd --way stream,unary --out bench/out/cluster $(BENCH)
	go run ./bench vs etcd --kind embedded --peer-members 1 --callers 64 --workload put,get --out bench/out/embedded $(BENCH)
	go run ./bench vs etcd --workload put --callers 64 --keys 1000000 --out bench/out/memory $(BENCH)
	go run ./bench --workload put,get --callers 64 --rounds 2 --last 10s --keys 100000,10000000 --out bench/out/keys $(BENCH)
	go run ./bench report --page docs/performance.md --summary README.md \
	bench/out/{cluster,embedded,memory,keys}/results.json

.PHONY: bench-growth
bench-growth: ## The four parts of growth one after the other, into docs/performance.md; takes an hour
	@for part in keys widths shards callers; do $(MAKE) bench-growth-$$part; done

.PHONY: bench-growth-keys
bench-growth-keys: ## put, get and transfer at 100k, 1M and 10M keys; half an hour, and 20 GB of disk
	go run ./bench --workload put,get --callers 64 --rounds 2 --last 10s --keys 100000,1000000,10000000 --out bench/out/growth-keys $(BENCH)
	go run ./bench --workload transfer-two-optimistic --callers 64 --rounds 2 --last 10s --keys 100000,1000000,10000000 \
	--out bench/out/growth-keys-transfer $(BENCH)
	go run ./bench report --part growth-keys --page docs/performance.md bench/out/growth-keys{,-transfer}/results.json

.PHONY: bench-growth-widths
bench-growth-widths: ## Transactions of 2, 8, 64 and 512 keys over one and two shards
	go run ./bench --workload rotate-same,rotate-two --width 2,8,64,512 --callers 8 --keys 1000000 \
	--out bench/out/growth-widths $(BENCH)
	go run ./bench report --part growth-widths --page docs/performance.md bench/out/growth-widths/results.json

.PHONY: bench-growth-shards
bench-growth-shards: ## 1, 2, 4 and 16 shards, by turns
	go run ./bench --workload put,get,transfer-same-optimistic --shards-each 1,2,4,16 --callers 64 \
	--out bench/out/growth-shards $(BENCH)
	go run ./bench report --part growth-shards --page docs/performance.md bench/out/growth-shards/results.json

.PHONY: bench-growth-callers
bench-growth-callers: ## 1, 16, 64, 256 and 1,024 callers
	go run ./bench --workload put,get,transfer-two-optimistic --callers 1,16,64,256,1024 \
	--out bench/out/growth-callers $(BENCH)
	go run ./bench report --part growth-callers --page docs/performance.md bench/out/growth-callers/results.json

.PHONY: bench-long
bench-long: ## put and mixed for ten minutes each, into docs/performance.md; needs 25 GB of disk
	@for workload in put mixed; do $(MAKE) bench-long-$$workload; done

.PHONY: bench-long-put bench-long-mixed
bench-long-put bench-long-mixed: bench-long-%: ## One of them
	go run ./bench --workload $* --callers 64 --rounds 1 --warm 10s --last 10m --out bench/out/long-$* $(BENCH)
	go run ./bench report --part long-$* --page docs/performance.md --plots docs/plots --pictures time,memory \
	bench/out/long-$*/results.json

.PHONY: long-peers
long-peers: ## The systems that Cairn is measured against do what their workloads say
	go -C bench/peers test ./... -count=1

.PHONY: long-sim
long-sim: ## The simulator over SEEDS=20000 seeds, in two processes
	@half=$$(($(SEEDS) / 2)); \
	run() { CAIRN_SIM_SEED=$$1 CAIRN_SIM_SEEDS=$$half GOGC=400 \
	go test ./jepsen/sim/ -run TestLong -count=1 -timeout=60m -v; }; \
	run 1 & first=$$!; status=0; run $$((half + 1)) || status=$$?; wait $$first && exit $$status

.PHONY: long-failpoints
long-failpoints: ## Every fault at every step of a transaction, in all plans that come by, PLANS=3 seeds of each
	CAIRN_FAILPOINT_SEEDS=$(PLANS) go test ./jepsen/sim/ -run 'TestFailpoints$$' -count=1 -timeout=60m -v

.PHONY: long-mutants
long-mutants: ## Plant every known bug and say after how many seeds, or cells, a test finds it
	go test -tags mutants ./jepsen/sim/ ./shard/ ./coordinator/ -run 'TestMutants|TestDirected' -count=1 -timeout=60m -v
	go run ./jepsen --mutants

.PHONY: long-jepsen
long-jepsen: ## The matrix of cells, MINUTES=30: real processes, real faults; writes docs/jepsen.md
	go run ./jepsen --matrix --minutes $(MINUTES) --report docs/jepsen.md

.PHONY: long-nemeses
long-nemeses: ## Every fault and some pairs alone, under a trickle of writes that are read back
	CAIRN_NEMESES=1 go test ./jepsen/nemesis/ -count=1 -timeout=30m -v

.PHONY: long-crash
long-crash: ## CRASHES=5000 crashes of replicas on engines that write to a disk
	CAIRN_CRASHES=$(CRASHES) go test ./shard/ -run TestCrashes -count=1 -timeout=60m -v

.PHONY: long-power
long-power: ## LOSSES=500 losses of power of engines on the disk of the debug build, then those of its processes
	CAIRN_POWER_LOSSES=$(LOSSES) go test ./internal/fault/disk/ -run TestEngines -count=1 -timeout=30m -v
	go test -tags faults ./internal/run/ -run Fault -count=1 -v

.PHONY: long-kill
long-kill: ## kill -9 of every kind of process under load, KILLS=10 times each
	CAIRN_KILLS=$(KILLS) CAIRN_CLUSTER_KILLS=$(KILLS) go test ./jepsen/ -run TestKill -count=1 -timeout=30m -v

.PHONY: long-cluster
long-cluster: ## ROUNDS=10 rounds of faults of three members under load, and ten kills of a leader in each
	CAIRN_CLUSTER_ROUNDS=$(ROUNDS) go test ./jepsen/ ./jepsen/cluster/ -run TestCluster -count=1 -timeout=30m -v

.PHONY: long-hotkey
long-hotkey: ## 16 clients on one key against one client, five times in turn
	CAIRN_HOTKEY=1 go test ./jepsen/ -run TestHotKey -count=1 -timeout=30m -v

.PHONY: long-model
long-model: ## MODEL_STEPS=10000 random operations, alone and in transactions, against a map of versions
	CAIRN_MODEL_STEPS=$(MODEL_STEPS) go test ./conformance/ -run 'TestModel$$' -count=1 -timeout=30m -v

.PHONY: long-ranges
long-ranges: ## RANGE_KEYS=1000000 keys paged and streamed while they are written and leaders change
	CAIRN_LONG_RANGES=$(RANGE_KEYS) go test ./conformance/ -run TestLongRanges -count=1 -timeout=30m -v
