# syntax=docker/dockerfile:1
# Two images from one file: `production` (the last, so the default) and `development`, which brings the embedded parts.

FROM python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app/src \
    PATH=/opt/venv/bin:$PATH \
    PORT=8080 \
    HOST=0.0.0.0
WORKDIR /app

# Dependencies are what is in the locks and nothing else, hashes checked, and are compiled once; pip itself stays behind in these stages.
# No `pip check` for production: it misses what its lock leaves out on purpose (UNUSED in the Makefile).
FROM base AS production-dependencies
COPY requirements/production.txt /tmp/requirements.txt
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
        -r /tmp/requirements.txt \
 && python -m compileall -q /opt/venv

FROM base AS development-dependencies
COPY requirements/run.txt /tmp/requirements.txt
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
        -r /tmp/requirements.txt \
 && pip --python /opt/venv/bin/python check \
 && python -m compileall -q /opt/venv

FROM base AS service
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin service
COPY pyproject.toml ./
COPY migrations migrations
COPY src src
RUN python -m compileall -q src migrations
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/api/health/live', timeout=2)"]
CMD ["python", "-m", "entrypoints.cli", "run"]

FROM service AS development
COPY --from=development-dependencies /opt/venv /opt/venv
ENV APP_ENV=development DATA_DIR=/data
RUN install -d -o service -g service /data
VOLUME /data
USER service

FROM service AS production
COPY --from=production-dependencies /opt/venv /opt/venv
ENV APP_ENV=production
USER service
