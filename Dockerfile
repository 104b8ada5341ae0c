# Images of lolraft. Targets: `node` (lol-testapp:latest, one node) and `dev` (lolraft:dev, everything).
#
# BASE_IMAGE is any Debian-like image with Python 3.11 or later. `./dev images` makes one from the
# Debian mirror where no image registry is in reach, and names it in docker-compose.override.yml.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS base
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ENV PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# The lab cuts links with packet filters inside the container.
RUN command -v iptables >/dev/null \
    || (apt-get update && apt-get install -y --no-install-recommends iptables && rm -rf /var/lib/apt/lists/*)
RUN python3 -m venv /opt/lolraft
ENV PATH=/opt/lolraft/bin:$PATH

# Dependencies first: they change seldom, the sources often. The packages are still empty here.
FROM base AS node-deps
WORKDIR /src
COPY pyproject.toml LICENSE ./
RUN mkdir lolraft lab && touch README.md lolraft/__init__.py lab/__init__.py && pip install .

FROM node-deps AS node
COPY lolraft lolraft
COPY lab lab
RUN pip install --no-deps --force-reinstall . && rm -rf /src/* && mkdir /data
WORKDIR /data
VOLUME /data
EXPOSE 50000
STOPSIGNAL SIGTERM
# The test application of lolraft 0.10.2: the id comes from the environment variable `address`,
# shard 777 counts, and testapp.Ping answers. Other nodes are started with other arguments.
ENTRYPOINT ["lolraft"]
CMD ["serve", "--data", "/data", "--app", "counter", "--shards", "777"]

FROM base AS dev
RUN apt-get update \
    && (apt-get install -y --no-install-recommends docker-cli docker-compose git procps tmux zsh fish \
        || apt-get install -y --no-install-recommends docker.io docker-compose git procps tmux zsh fish) \
    && rm -rf /var/lib/apt/lists/*
# A peer for `./dev bench`, which goes without it where the distribution has none.
RUN apt-get update \
    && (apt-get install -y --no-install-recommends etcd-server || echo "no etcd-server here") \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml LICENSE ./
# Installed for its dependencies and entry points; the sources are mounted and found first.
RUN mkdir lolraft lab && touch README.md lolraft/__init__.py lab/__init__.py && pip install '.[dev]'
ENV LOLRAFT_IN_DEV=1 PYTHONDONTWRITEBYTECODE=1
RUN git config --system --add safe.directory '*'
CMD ["bash"]
