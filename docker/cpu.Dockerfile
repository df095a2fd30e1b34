# CPU image of the run-time half: no torch, no compiler, not root. Not built yet; docs/decisions/images.md tells why.
#
#   docker build -f docker/cpu.Dockerfile -t stream-enhance .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/media" stream-enhance night.mp4 night.enhanced.mp4
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY scripts/install-runtime scripts/
RUN scripts/install-runtime system
COPY requirements.lock ./
RUN scripts/install-runtime environment
COPY pyproject.toml README.md LICENSE ./
COPY engines engines
COPY stream stream
RUN scripts/install-runtime package

FROM ${BASE}
COPY --from=build /opt/stream-enhance /opt/stream-enhance
COPY scripts/install-runtime /opt/stream-enhance/scripts/
COPY docker/health.py /opt/stream-enhance/docker/

# Everybody may write kernels and segmenters, so that --user works.
RUN useradd --uid 10001 --create-home --groups video viewer \
    && mkdir -p /media /opt/kernels /var/cache/stream-enhance \
    && chown viewer /media \
    && chmod 1777 /opt/kernels /var/cache/stream-enhance
ENV PATH=/opt/stream-enhance/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/opt/kernels \
    XDG_CACHE_HOME=/var/cache \
    STREAM_ENHANCE_METRICS=9100
USER 10001
# Compiled for the CPU that builds the image; another one compiles once more at its first start.
RUN /opt/stream-enhance/scripts/install-runtime kernels && chmod -R a+rwX /opt/kernels/*

VOLUME /var/cache/stream-enhance
WORKDIR /media
HEALTHCHECK --start-period=3m --interval=30s --timeout=10s --retries=3 \
    CMD ["/opt/stream-enhance/bin/python", "/opt/stream-enhance/docker/health.py"]
ENTRYPOINT ["stream-enhance"]
CMD ["--help"]
