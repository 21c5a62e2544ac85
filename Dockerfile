# One image for every stage; the command says which. Built by docker-compose.yml, or with `docker build -t repmon .`.
#
# It has what runs beside a broker and a store of one's own. With the embedded ones too, for `repmon demo` and `repmon up`
# alone, and two and a half times as large: docker build --build-arg LOCK=requirements.txt -t repmon:embedded .

FROM python:3.11.16-slim-trixie@sha256:be1575ed968de893bd54f4c56315ff7c4736ce522c1bca08fd521731aafc0d76 AS base

FROM base AS build
ARG LOCK=requirements-server.txt
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# What builds stays here: the image gets an environment without pip and setuptools.
RUN python -m venv /opt/build && python -m venv --without-pip /opt/repmon
WORKDIR /src
# What is locked changes less often than the project, so its layer is kept. The lock is whole, hence --no-deps.
COPY requirements.txt requirements-server.txt requirements-build.txt ./
RUN /opt/build/bin/pip install --require-hashes -r requirements-build.txt \
    && /opt/build/bin/pip --python /opt/repmon/bin/python install --require-hashes --no-deps -r ${LOCK}
COPY . .
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
    && /opt/build/bin/pip --python /opt/repmon/bin/python install --no-deps /wheel/*.whl

FROM base
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/repmon repmon && chmod 700 /var/lib/repmon
COPY --from=build /opt/repmon /opt/repmon
ENV PATH=/opt/repmon/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Each stage says there how it is; the interfaces of `up`, `api` and `collect` say it themselves. Jobs that end have no health.
ENV REPMON_METRICS__PORT=9102
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["repmon", "health"]
USER repmon
WORKDIR /var/lib/repmon
CMD ["repmon", "--help"]
