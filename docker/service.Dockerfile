# The online service: FastAPI, ONNX Runtime, numpy; no torch, no training code.
ARG PYTHON=3.11
# Where the base image comes from, with a slash at its end; empty: where the engine looks by itself.
ARG REGISTRY=""

FROM ${REGISTRY}python:${PYTHON}-slim AS build
# Where pip looks for packages besides its default, if anywhere; ARGs are seen by pip as its PIP_* variables.
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PIP_CONSTRAINT=/src/constraints.txt
WORKDIR /src
RUN python -m venv --without-pip /venv

# Dependencies before code: a changed line of code does not install them again.
COPY pyproject.toml constraints.txt ./
# The extra `otel` too: whoever runs the image can then send traces, and who does not has some MB that are never loaded.
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
print(*project['dependencies'], *project['optional-dependencies']['otel'], sep='\n')" > requirements.txt \
 && pip --python /venv/bin/python install --quiet --requirement requirements.txt

# Of the three rooms only this one is in the build folder, so only this one is found and installed.
COPY README.md LICENSE ./
COPY service service
RUN pip --python /venv/bin/python install --quiet --no-deps . \
 && pip --python /venv/bin/python check \
 && /venv/bin/python -c "from importlib.util import find_spec as f; \
bad = [name for name in ('torch', 'training', 'export', 'onnx', 'polars', 'pip') if f(name)]; \
raise SystemExit(f'must not be in the service image: {bad}' if bad else 0)"

FROM ${REGISTRY}python:${PYTHON}-slim
# /state is for REC_ACTIVE_FILE, the one thing that the service may write: a new volume takes over its owner.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent app && mkdir /state && chown app /state
COPY --from=build /venv /venv
# ONNX Runtime tells its makers of every model it loads, unless it is told not to.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1
WORKDIR /
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["python", "-m", "service", "serve", "/bundle", "--host", "0.0.0.0"]
