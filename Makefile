# `make test` checks everything on a fresh machine with Rust, Python 3 and make.
.PHONY: test setup lint unit e2e demo

test: setup lint unit e2e
	@echo "all checks passed"

setup:
	@scripts/setup-tests.sh

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet

unit:
	cargo test --workspace --locked --quiet

e2e:
	cargo build --locked --quiet
	.venv/bin/python -m pytest -q -p no:cacheprovider tests/e2e

demo:
	cargo run --release -- demo
