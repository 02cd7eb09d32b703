# syntax=docker/dockerfile:1
# docker build -t faultline . && docker run --rm -p 127.0.0.1:9884:9884 faultline

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock askama.toml ./
COPY crates crates
COPY src src
# The caches keep downloaded and compiled dependencies between builds: only what changed is compiled again.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin faultline \
    && install -D target/release/faultline /out/faultline \
    && install -d /out/ledger

# glibc, CA certificates and nothing else: no shell, no package manager. nonroot is user 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/faultline /usr/local/bin/faultline
COPY --from=build --chown=65532:65532 /out/ledger /var/lib/faultline
USER 65532:65532
# `ledger: faultline.db`, the default, is here.
WORKDIR /var/lib/faultline
VOLUME /var/lib/faultline
EXPOSE 9884
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/local/bin/faultline", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/faultline"]
# A container's own loopback cannot be reached from outside, so this listens on all of its addresses; publish the port on
# a loopback, as above. To watch your own account: `run --config /etc/faultline/faultline.yaml`.
CMD ["demo", "--listen", "0.0.0.0:9884"]
