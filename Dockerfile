# The test image: floe's packages, its tests, and the dependency group `floe` of pyproject.toml, without seatrial.
#   docker build -t floe-test:latest .
# `make setup` provides foundry.invalid/python:3.13. With Docker Hub, use --build-arg PYTHON_IMAGE=python:3.13-slim.
ARG PYTHON_IMAGE=foundry.invalid/python:3.13
FROM ${PYTHON_IMAGE}

# The machine's package indexes; unset means PyPI.
ARG UV_DEFAULT_INDEX
ARG PIP_INDEX_URL

# Layers are ordered by frequency of change; a changed test only changes the last, small one.
WORKDIR /app
COPY locks/uv.txt locks/floe.txt locks/
RUN command -v uv >/dev/null || pip install --no-cache-dir --require-hashes -r locks/uv.txt
# Compile bytecode here, because each run would otherwise spend seconds on it. Remove headers, the libraries' own tests,
# and parts of Arrow that PyIceberg never loads.
RUN uv venv --quiet --no-cache --python 3.13 --no-python-downloads .venv \
 && uv pip sync --quiet --no-cache --require-hashes --compile-bytecode --python .venv/bin/python locks/floe.txt \
 && cd .venv/lib/python3.13/site-packages \
 && rm -rf pyarrow/include pyarrow/src pyarrow/tests pyarrow/includes \
      pyarrow/*_flight.* pyarrow/*gandiva* pyarrow/_pyarrow_cpp_tests.* \
 && find . -type d \( -name tests -o -name test \) -prune -exec rm -rf {} + \
 && find . -name '*.pyi' -delete \
 && printf '%s\n' /app /app/packages/floe-lakehouse/src > floe.pth

# `uv run` only starts installed programs: it does not resolve, lock, sync or download. It caches the properties of the
# interpreter, whose query takes most of uv's time.
ENV PATH=/app/.venv/bin:$PATH \
    UV_NO_SYNC=1 UV_OFFLINE=1 UV_FROZEN=1 UV_NO_PROGRESS=1 UV_PYTHON_DOWNLOADS=never UV_CACHE_DIR=/tmp/uv \
    PYTHONUNBUFFERED=1 COVERAGE_CORE=sysmon

RUN chown 1000:1000 /app
USER 1000:1000
COPY --chown=1000:1000 pyproject.toml ./
COPY --chown=1000:1000 packages packages
COPY --chown=1000:1000 testing testing
COPY --chown=1000:1000 tests tests

CMD ["sh", "-c", "exec uv run pytest tests/ packages/*/tests/ --cov -v"]
