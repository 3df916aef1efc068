# The image of scimshim: one static binary on an empty root. docs/decisions says why it is glibc and not musl.
#
#   docker buildx build --build-arg SCIMSHIM_COMMIT="$(git rev-parse --short=12 HEAD)" -t scimshim .
#
# Everything that ends up in the image comes from this repository, from Cargo.lock and from the base below; no step of a
# native build installs a package.

# On the machine that builds, whatever the image is for: an emulated rustc takes an hour, a cross linker seconds. The base
# must have glibc 2.34 or newer: since then a static binary resolves names by /etc/hosts and DNS without loading a library.
FROM --platform=$BUILDPLATFORM docker.io/library/rust:1.95.0-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS build
ARG TARGETARCH
WORKDIR /src
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# Only where the image is for another architecture: its linker, its libc and its standard library. Not pinned, for
# Debian keeps no old versions beside a point release; what of them gets into the binary is libc.a.
# hadolint ignore=DL3008
RUN case "${TARGETARCH:=$(dpkg --print-architecture)}" in \
      amd64) triple=x86_64-unknown-linux-gnu gnu=x86-64-linux-gnu ;; \
      arm64) triple=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu ;; \
      *) echo "no image is made for ${TARGETARCH}" >&2; exit 1 ;; \
    esac; \
    echo "${triple}" > /triple; \
    if [ "${TARGETARCH}" != "$(dpkg --print-architecture)" ]; then \
      apt-get update; \
      apt-get install -y --no-install-recommends "gcc-${gnu}" "libc6-dev-${TARGETARCH}-cross"; \
      rm -rf /var/lib/apt/lists/*; \
      rustup target add "${triple}"; \
      variable="${triple//-/_}"; \
      printf 'export CARGO_TARGET_%s_LINKER=%s CC_%s=%s\n' \
        "${variable^^}" "${gnu/x86-64/x86_64}-gcc" "${variable}" "${gnu/x86-64/x86_64}-gcc" > /cross; \
    fi; \
    touch /cross

# Static, and still loaded to a random address; relocations are packed, which saves 0.4 MB and which a linker that cannot
# do it ignores. Paths of this container are not those of another: they would tell two builds of one source apart.
# CARGO_HOME is /usr/local/cargo in the base.
ENV CARGO_INCREMENTAL=0 \
    CARGO_TARGET_DIR=/target \
    RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs --remap-path-prefix=/usr/local/cargo=/cargo --remap-path-prefix=/src=/scimshim"

# The dependencies, in a layer that lasts until Cargo.toml or Cargo.lock changes. Cargo builds no dependency without a
# package around it, so there is an empty one of the same manifest, which is then forgotten: cargo compares times, and
# sources that are older than the empty ones would never be compiled.
COPY Cargo.toml Cargo.lock ./
RUN . /cross; triple="$(cat /triple)"; \
    mkdir -p src benches; \
    touch src/lib.rs; \
    echo 'fn main() {}' > src/main.rs; \
    sed -n '/^\[\[bench\]\]$/,/^$/ s/^name = "\(.*\)"$/\1/p' Cargo.toml | while read -r bench; do \
      touch "benches/${bench}.rs"; \
    done; \
    cargo build --locked --profile dist --features otlp --target "${triple}"; \
    cargo clean --locked --profile dist --target "${triple}" --package scimshim

COPY build.rs ./
COPY src src
# What `scimshim --version` says; the sources come without their repository.
ARG SCIMSHIM_COMMIT=
ARG SOURCE_DATE_EPOCH
RUN . /cross; triple="$(cat /triple)"; \
    cargo build --locked --profile dist --features otlp --target "${triple}" --bin scimshim; \
    mkdir -p /out/var/lib /out/state; \
    cp "/target/${triple}/dist/scimshim" /out/scimshim; \
    if [ ! -s /cross ]; then /out/scimshim --version | grep -F scimshim; fi

FROM scratch
ARG SCIMSHIM_VERSION=0.1.0
ARG SCIMSHIM_COMMIT=
ARG SCIMSHIM_CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="scimshim" \
      org.opencontainers.image.description="A reverse-proxy sidecar that makes what identity providers send SCIM 2.0, and what old SCIM handlers answer too" \
      org.opencontainers.image.url="https://github.com/scimshim/scimshim" \
      org.opencontainers.image.source="https://github.com/scimshim/scimshim" \
      org.opencontainers.image.documentation="https://github.com/scimshim/scimshim/blob/main/README.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${SCIMSHIM_VERSION}" \
      org.opencontainers.image.revision="${SCIMSHIM_COMMIT}" \
      org.opencontainers.image.created="${SCIMSHIM_CREATED}" \
      org.opencontainers.image.base.name="scratch"

# The roots for an https upstream and for feeds, where no other CA is named.
COPY --from=build --chmod=0644 /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --chmod=0644 config/image/passwd config/image/group /etc/
# Where an emptyDir or a claim is mounted; empty and ours, so that a named volume of Docker or Podman is ours too. Its
# parents come first and are root's: who makes a folder by --chown gives away those above it.
COPY --from=build /out/var /var
COPY --from=build --chown=65532:65532 /out/state /var/lib/scimshim
COPY --chmod=0644 LICENSE THIRD_PARTY.md /usr/share/doc/scimshim/
COPY --from=build --chmod=0755 /out/scimshim /usr/local/bin/scimshim

# By number: the kubelet cannot tell that a name is not root.
USER 65532:65532
EXPOSE 7643 7644
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/scimshim"]
