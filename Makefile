# The chores of this repository; `make` alone tells what there is. `make run` and `make test` are ./run and ./test.

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
	@./run

test:
	@./test

lint:
	@scripts/lint.sh

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
	@scripts/install-deps.sh test

clean-data:
	rm -rf chancery-data
