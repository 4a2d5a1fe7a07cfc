# Blemish's service on a plain CPU: `docker build -t blemish .`, then `docker run -p 8000:8000 -v blemish:/data blemish`.
# The same steps run in the tests in a fresh virtual environment: tests/server/test_packaging.py.
FROM python:3.12-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
RUN python -m venv /opt/blemish
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
# None of these needs a GPU. Without `train` parts are judged, and the page offers no more than that; learning and the
# laboratory need it, with torch's CPU wheels from https://download.pytorch.org/whl/cpu:
# --build-arg EXTRAS=serve,postgresql,train
ARG EXTRAS=serve,postgresql
ARG INDEX=https://download.pytorch.org/whl/cpu
RUN /opt/blemish/bin/pip install --extra-index-url "${INDEX}" --constraint constraints.txt ".[${EXTRAS}]"

FROM python:3.12-slim-bookworm
LABEL org.opencontainers.image.title="Blemish" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 blemish \
    && useradd --uid 10001 --gid blemish --home-dir /data --no-create-home --shell /usr/sbin/nologin blemish \
    && install --directory --owner=blemish --group=blemish --mode=0700 /data
COPY --from=build /opt/blemish /opt/blemish
ENV PATH=/opt/blemish/bin:$PATH BLEMISH_HOME=/data PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
STOPSIGNAL SIGTERM
# Reachable from elsewhere, so a key must be there first: docker run ... blemish key create NAME --role admin
ENTRYPOINT ["blemish"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
