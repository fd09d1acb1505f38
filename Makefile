# Everything a person or the CI asks of this repository. `make` alone tells what there is.

CARGO ?= cargo
POSTGRES = scripts/with-postgres.sh --fast

.PHONY: help run test lint soak bench bench-searches fuzz fmt test-deps clean-data

help:
	@echo 'make run         build for release and start a test environment on http://127.0.0.1:8080'
	@echo 'make test        everything that must hold: format, lints, tests on both databases'
	@echo 'make soak        the long runs: 100 kills on each database, longer random walks'
	@echo 'make bench       measure, beside the limits of this machine; writes docs/performance.md'
	@echo 'make bench-searches  measure searches among ten million orders; takes 15 GB of disk for a while'
	@echo 'make fuzz        the fuzzers, FUZZ_SECONDS (60) for each target'
	@echo 'make fmt         format the source'
	@echo 'make clean-data  remove ./chancery-data, what `make run` keeps'

run:
	$(CARGO) build --release -p chancery
	exec ./target/release/chancery serve --ote

test: test-deps lint
	$(POSTGRES) $(CARGO) test --workspace --no-fail-fast

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

soak: test-deps
	TEST_KILLS=100 TEST_WALKS=400 PROPTEST_CASES=4096 $(POSTGRES) $(CARGO) test --workspace --no-fail-fast

bench:
	scripts/bench.sh

bench-searches:
	scripts/bench.sh searches --report docs/performance.md

fuzz:
	scripts/fuzz.sh

fmt:
	$(CARGO) fmt --all

test-deps:
	@scripts/install-test-deps.sh

clean-data:
	rm -rf chancery-data
