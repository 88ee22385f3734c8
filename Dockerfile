# The relay on Debian 12, built from this source. `make container-check` runs these stages without a container engine.

FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends make
WORKDIR /src
COPY install.sh .
RUN ./install.sh --deps build
COPY . .
RUN make -j"$(nproc)" all && make install DESTDIR=/out PREFIX=/usr/local && strip /out/usr/local/bin/*

FROM debian:12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libbsd0 libcurl4 libgnutls30 libjson-c5 libmicrohttpd12 \
        libpq5 libsodium23 libsqlite3-0 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin patchcord \
    && install -d -o patchcord -g patchcord -m 700 /data
COPY --from=build /out/usr/local/bin/ /usr/local/bin/
ENV PATCHCORD_HOST=0.0.0.0 PATCHCORD_DATA_DIR=/data
USER patchcord
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 CMD ["patchcord-relay", "health"]
ENTRYPOINT ["patchcord-relay"]
CMD ["serve"]
