# syntax=docker/dockerfile:1
# One image for every role and tool: `onsale` is the entry point, the role its first argument.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked --bin onsale && cp target/dist/onsale /onsale

FROM debian:12.11-slim AS runtime
# certificates for the payment provider and managed stores; curl for the health checks
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /onsale /usr/local/bin/onsale
RUN useradd --system --uid 65532 --no-create-home onsale && install -d -o onsale /var/lib/onsale
USER 65532
VOLUME /var/lib/onsale
ENTRYPOINT ["onsale", "--data-dir", "/var/lib/onsale"]
