.DEFAULT_GOAL := help
.PHONY: help build deb man test race fuzz bench bench-go e2e soak lint check

FUZZTIME ?= 10s
SOAK_SECONDS ?= 60

help: ## show this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the static binary ./mxglue
	CGO_ENABLED=0 go build -trimpath -o mxglue ./cmd/mxglue

deb: ## build the Debian package dist/mxglue_VERSION_ARCH.deb (GOARCH chooses the architecture)
	packaging/build

man: ## write the man pages to dist/man
	go run -tags man ./cmd/mxglue man dist/man

test: ## the tests
	go test ./...

race: ## the tests under the race detector
	go test -race ./...

fuzz: ## every fuzz target for FUZZTIME (10s)
	@set -e; for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

bench: ## CPU a query of mxglue beside an echo and the installed peers (7 minutes), then bench-go
	go run ./cmd/mxglue/bench
	@$(MAKE) --no-print-directory bench-go

bench-go: ## the Go benchmarks of the hot path, with allocations, ready for benchstat
	go test -run '^$$' -bench . -benchmem ./cache/... ./resolver/server/...

e2e: deb ## the package, and the binary with real mail servers, resolvers and a browser in a network namespace (root; .ci/run installs them)
	go test -count=1 -v -tags e2e ./cmd/mxglue/e2e/...

soak: ## SOAK_SECONDS (60) of load on the binary while its upstreams flap (like e2e)
	SOAK_SECONDS=$(SOAK_SECONDS) go test -count=1 -v -tags e2e -run '^TestSoak$$' ./cmd/mxglue/e2e/

lint: ## gofmt, vet, staticcheck, go.mod in order
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	go vet ./...
	go vet -tags man ./cmd/mxglue
	go vet -tags e2e ./cmd/mxglue/e2e/...
	go tool staticcheck ./...
	go tool staticcheck -tags man ./cmd/mxglue
	go tool staticcheck -tags e2e ./cmd/mxglue/e2e/...
	go mod tidy -diff

check: lint race ## what has to be green before a commit: lint and race
