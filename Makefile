# `make test` checks everything on a fresh machine with Rust, Python 3 and make.
.PHONY: test setup lint unit e2e demo bench evaluate fuzz

test: setup lint unit e2e
	@echo "all checks passed"

setup:
	@scripts/setup-tests.sh

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTC_BOOTSTRAP=1 cargo check --locked --quiet --manifest-path fuzz/Cargo.toml --target-dir target/fuzz
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet

unit:
	cargo test --workspace --locked --quiet

e2e:
	cargo build --locked --quiet
	.venv/bin/python -m pytest -q -p no:cacheprovider tests/e2e

demo:
	cargo run --release -- demo

# Speed of `scan` beside rg with the same words, criterion's benches of the recogniser, and what polling metrics costs.
bench:
	cargo build --release --locked
	scripts/bench_scan.sh
	cargo bench -p faultline-core --bench recognise
	cargo bench -p faultline --bench polling

# How often the correlator is right, on simulated worlds that it was never tuned on; a few minutes.
evaluate:
	cargo run --release --locked --quiet -- evaluate

# Needs cargo-fuzz (`cargo install cargo-fuzz`); runs each target for a minute.
fuzz:
	RUSTC_BOOTSTRAP=1 cargo fuzz run recognise -- -max_total_time=60
	RUSTC_BOOTSTRAP=1 cargo fuzz run split -- -max_total_time=60
