# csm-loader: `make demo` shows it at work, `make test` proves it. Both do all their set-up.

CARGO ?= cargo
ROWS  ?= 1000000
KILLS ?= 120
LARGE := target/large

.DEFAULT_GOAL := help
.PHONY: help demo test torture lint check bench bench-stages bench-peers sample samples samples-large doc install clean-demo

help: ## what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: toolchain ## load samples/ into the embedded sandbox (ends well when the results are as documented)
	$(CARGO) build --locked --bin csm-loader
	@./target/debug/csm-loader load samples/demo.toml --target sandbox; code=$$?; \
	echo "csm-loader ended with exit code $$code (4: some rows did not load, as planted)"; \
	test $$code -eq 0 -o $$code -eq 4

test: toolchain ## build and run all tests
	$(CARGO) test --locked --workspace --all-targets
	$(CARGO) test --locked --doc

torture: toolchain ## kill loads KILLS times on each of three kinds of site, and check what they leave
	CSM_LOADER_TORTURE=$(KILLS) $(CARGO) test --locked --test main -- torture:: --nocapture

lint: toolchain ## formatting and clippy, warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

check: lint test ## what every commit passes

sample: toolchain ## load samples/ on a fresh sandbox and compare with samples/expected/
	$(CARGO) test --locked --test main -- demo

samples: toolchain ## write samples/ anew
	$(CARGO) run --locked --example generate-samples

samples-large: toolchain ## write ROWS customers to target/large/customers.csv
	$(CARGO) run --locked --example generate-samples -- $(LARGE) --rows $(ROWS) --only customers-csv

bench: toolchain python3 ## measure checks, loads and start-up on ROWS customers; BENCH="--only load --runs 3" for less
	$(CARGO) build --locked --release --bin csm-loader
	$(CARGO) build --locked --release --package csm-loader-benches --bins
	benches/run.py --loader target/release/csm-loader --tools target/release --rows $(ROWS) $(BENCH)

bench-stages: toolchain ## measure each stage by itself; STAGES=ledger for those whose name has it
	$(CARGO) bench --locked --package csm-loader-benches --bench stages -- $(STAGES)

bench-peers: toolchain python3 ## measure what one could use instead, side by side, on ROWS customers
	$(CARGO) build --locked --release --bin csm-loader
	$(CARGO) build --locked --release --package csm-loader-benches --bins
	benches/peers.py --loader target/release/csm-loader --tools target/release --rows $(ROWS) $(PEERS)

doc: toolchain ## the library's documentation
	$(CARGO) doc --locked --no-deps

install: toolchain ## install the optimised binary
	$(CARGO) install --locked --path .

clean-demo: ## forget the demo's site and results
	rm -rf target/demo

.PHONY: toolchain python3
toolchain:
	@command -v $(CARGO) >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs, then run make again"; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler (cc) is missing: install gcc or clang, then run make again"; exit 1; }
python3:
	@command -v python3 >/dev/null || { echo "python3 is missing: the measurements are driven by it"; exit 1; }
