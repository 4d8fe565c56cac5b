# One image for both halves: `operator`, `server` and the other commands of coder-enterprise.
#
# The base is named by tag here; of it the image keeps Python and the libraries that Python needs. A build is
# reproducible with the digest of the base and the date of the commit, as the release workflow does it:
#   docker buildx build --build-arg PYTHON_IMAGE=docker.io/library/python@sha256:... \
#     --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" --output type=image,name=coder-enterprise,rewrite-timestamp=true .
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-trixie

FROM ${PYTHON_IMAGE} AS build
# Byte code holds neither dates nor the order of a random hash.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONHASHSEED=0
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends binutils
WORKDIR /src

FROM build AS dependencies
COPY requirements/server.txt requirements/
RUN python -m venv --without-pip /opt/coder-enterprise
RUN python -m pip --python /opt/coder-enterprise/bin/python install --quiet --no-compile --no-deps --only-binary :all: \
        --require-hashes --requirement requirements/server.txt
COPY tools/image/steps/trim.py steps/
RUN python steps/trim.py /opt/coder-enterprise
RUN find /opt/coder-enterprise/lib -name '*.so' -exec strip --strip-unneeded {} +
# Each of the Kubernetes API's thousand models has a module of its own, and hardly any is ever loaded.
RUN python -m compileall -q --invalidation-mode unchecked-hash -x '/kubernetes/.*/models/' /opt/coder-enterprise/lib
# Here and below: what a layer holds has one date for ever, so that a layer is new only when something in it is.
RUN mkdir -p /dependencies/opt && cp -a /opt/coder-enterprise /dependencies/opt && find /dependencies -exec touch -h -d @0 {} +

FROM build AS python
COPY --from=dependencies /opt/coder-enterprise /opt/coder-enterprise
COPY tools/image/steps/root.py steps/
RUN python steps/root.py /root-of-the-image /opt/coder-enterprise
RUN find /root-of-the-image/usr/local -type f -name '*.so*' -exec strip --strip-unneeded {} +
RUN python -m compileall -q --invalidation-mode unchecked-hash -s /root-of-the-image -p / /root-of-the-image/usr/local/lib
RUN find /root-of-the-image -exec touch -h -d @0 {} +

FROM dependencies AS code
COPY requirements/build.txt requirements/
RUN python -m pip install --quiet --no-deps --only-binary :all: --require-hashes --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN python -m pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir dist .
RUN python -m pip --python /opt/coder-enterprise/bin/python install --quiet --no-compile --no-deps --no-index --root /code dist/*.whl
RUN python -m compileall -q --invalidation-mode unchecked-hash -s /code -p / /code && find /code -exec touch -h -d @0 {} +
COPY tools/image/steps/check.py steps/
RUN cp -r /code/. / && /opt/coder-enterprise/bin/python steps/check.py

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="coder-enterprise" \
      org.opencontainers.image.description="Coder's enterprise settings as Kubernetes objects, and an in-cluster Enterprise API" \
      org.opencontainers.image.url="https://github.com/coder-enterprise-operator/coder-enterprise" \
      org.opencontainers.image.source="https://github.com/coder-enterprise-operator/coder-enterprise" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=python /root-of-the-image /
COPY --from=dependencies /dependencies /
COPY --from=code /code /
ENV PATH=/opt/coder-enterprise/bin HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 65532:65532
ENTRYPOINT ["coder-enterprise"]
