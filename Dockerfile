# CPU image of the run-time half: no torch, no compiler, not root.
#
#   docker build -t stream-enhance .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/media" stream-enhance night.mp4 night.enhanced.mp4
FROM python:3.11-slim

RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH NUMBA_CACHE_DIR=/opt/kernels PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1

WORKDIR /opt/stream-enhance
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY engines engines
COPY stream stream
# Compiled kernels are found again by the time stamp of their source; image layers keep whole seconds only.
RUN pip install --no-deps . && find /opt/venv/lib -path '*/site-packages/engines/*.py' -exec touch -d 2026-01-01 {} +

RUN useradd --create-home viewer && mkdir -p /media /opt/kernels && chown viewer /media /opt/kernels
USER viewer
# Compiled for the CPU that builds the image; another CPU compiles once more at its first start. Any --user may write there.
RUN stream-enhance warm && chmod -R a+rwX /opt/kernels

WORKDIR /media
ENTRYPOINT ["stream-enhance"]
CMD ["--help"]
