# Thin on purpose: the work is in .dev/. `make run` and `make test` install what is missing first.
.PHONY: help run build test dev check torture torture-mutants site bench bench-validate bench-ingest bench-tasks

help:
	@echo "make run     install what is missing, build, start the demo at http://127.0.0.1:3000"
	@echo "make build   install what is missing, then build target/release/batchdesk"
	@echo "make test    install what is missing, then every check and test"
	@echo "make dev     the demo, built and started again at every change"
	@echo "make check   format, lints, unit tests, links of the documentation, what is depended on"
	@echo "make torture exactly once under kills, lost replies, lies and stops; prints a table (about 20 minutes; only=NAME, BATCHDESK_TORTURE=short|long)"
	@echo "make torture-mutants   each guard taken out in turn: the tests must notice (about 5 minutes)"
	@echo "make bench   every benchmark; make bench-NAME for one of: validate, ingest, tasks"

run:
	@.dev/run

build:
	@.dev/build

test:
	@.dev/test

dev:
	@.dev/dev

check:
	@.dev/check

torture:
	@.dev/torture $(only)

torture-mutants:
	@.dev/torture mutants

site:
	@.dev/install rust wasm bindgen
	@.dev/build-site

bench: bench-validate bench-ingest bench-tasks

bench-validate:
	@.dev/bench-validate

bench-ingest:
	@.dev/bench-ingest

bench-tasks:
	@.dev/bench-tasks
