# Jetson image: L4T r36.4 (JetPack 6.1), its TensorRT 10.3 and Python 3.10, GStreamer, the run-time half, not root.
# To be built on the Jetson itself. Not built yet; docs/jetson.md has the steps, docs/decisions/images.md the reasons.
#
#   docker build -f docker/jetson.Dockerfile -t stream-enhance:jetson .
#   docker run -d --runtime nvidia -v engines:/var/cache/stream-enhance stream-enhance:jetson rtsp://camera -o out.ts
ARG BASE=nvcr.io/nvidia/l4t-jetpack:r36.4.0

FROM ${BASE} AS build
ENV SYSTEM_PACKAGES=1 PYTHON=/usr/bin/python3
WORKDIR /src
COPY scripts/install-runtime scripts/
RUN scripts/install-runtime system
COPY requirements.lock requirements-dev.lock ./
RUN scripts/install-runtime environment engines
COPY pyproject.toml README.md LICENSE ./
COPY engines engines
COPY stream stream
RUN scripts/install-runtime package

FROM ${BASE}
COPY scripts/install-gstreamer /opt/stream-enhance/scripts/
RUN /opt/stream-enhance/scripts/install-gstreamer && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/stream-enhance /opt/stream-enhance
COPY scripts/install-runtime /opt/stream-enhance/scripts/
COPY docker/entrypoint docker/health.py /opt/stream-enhance/docker/

# Everybody may write kernels and engines, so that --user works; a named volume takes these rights over. `video` reads
# cameras, and the GPU of a Jetson.
RUN useradd --uid 10001 --create-home --groups video viewer \
    && mkdir -p /media /opt/kernels /var/cache/stream-enhance \
    && chown viewer /media \
    && chmod 1777 /opt/kernels /var/cache/stream-enhance
ENV PATH=/opt/stream-enhance/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/opt/kernels \
    XDG_CACHE_HOME=/var/cache \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=all \
    STREAM_ENHANCE_ENGINE=auto \
    STREAM_ENHANCE_METRICS=9100
USER 10001
# Compiled for the CPU that builds the image; another one compiles once more at its first start.
RUN /opt/stream-enhance/scripts/install-runtime kernels && chmod -R a+rwX /opt/kernels/*

VOLUME /var/cache/stream-enhance
WORKDIR /media
# The first start builds an engine before anything answers, hence the long start.
HEALTHCHECK --start-period=35m --interval=30s --timeout=10s --retries=3 \
    CMD ["/opt/stream-enhance/bin/python", "/opt/stream-enhance/docker/health.py"]
ENTRYPOINT ["/opt/stream-enhance/docker/entrypoint"]
CMD ["--help"]
