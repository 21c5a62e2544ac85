# One image for every stage; the command says which. Built by docker-compose.yml, or with `docker build -t repmon .`.

FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/repmon
WORKDIR /src
# What is locked changes less often than the project, so its layer is kept.
COPY requirements.txt ./
RUN /opt/repmon/bin/pip install --require-hashes -r requirements.txt
COPY . .
RUN /opt/repmon/bin/pip install --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/repmon repmon
COPY --from=build /opt/repmon /opt/repmon
ENV PATH=/opt/repmon/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER repmon
WORKDIR /var/lib/repmon
CMD ["repmon", "--help"]
