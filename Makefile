# Thin on purpose: the work is in .dev/. `make run` and `make test` install what is missing first.
.PHONY: help run test dev check proof site bench bench-validate bench-tasks

help:
	@echo "make run     install what is missing, build, start the demo at http://127.0.0.1:3000"
	@echo "make test    install what is missing, then every check and test"
	@echo "make dev     the demo, built and started again at every change"
	@echo "make check   format, lints, unit tests"
	@echo "make proof   exactly once at full size: kills, faults, stops; prints a table (about 12 minutes)"
	@echo "make bench   every benchmark; make bench-NAME for one of: validate, tasks"

run:
	@.dev/run

test:
	@.dev/test

dev:
	@.dev/dev

check:
	@.dev/check

proof:
	@.dev/install rust postgres
	BATCHDESK_PROOF=full cargo test --locked --features ssr --test proof

site:
	@.dev/install rust wasm bindgen
	@.dev/build-site

bench: bench-validate bench-tasks

bench-validate:
	@.dev/bench-validate

bench-tasks:
	@.dev/bench-tasks
