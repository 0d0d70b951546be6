# The offline rooms: data, teachers, distillation, export. Run once; what it makes goes to the volume /models.
ARG PYTHON=3.11
# Where the base image comes from, with a slash at its end; empty: where the engine looks by itself.
ARG REGISTRY=""

FROM ${REGISTRY}python:${PYTHON}-slim AS build
# For a torch without CUDA give the address of PyTorch's CPU wheels here: the image is then several GB smaller.
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PIP_CONSTRAINT=/src/constraints.txt
WORKDIR /src
# With pip inside: `prepare` lets it fetch the data set where GroupLens is out of reach.
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH

COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
print(*p['dependencies'], *p['optional-dependencies']['train'], sep='\n')" > requirements.txt \
 && pip install --quiet --requirement requirements.txt

COPY README.md LICENSE ./
COPY service service
COPY training training
COPY export export
RUN pip install --quiet --no-deps . && pip check

FROM ${REGISTRY}python:${PYTHON}-slim
# The folders belong to the user already: a new volume takes over their owner.
RUN useradd --uid 10001 --create-home app && mkdir /models /work && chown app /models /work
COPY --from=build /venv /venv
COPY configs /app/configs
COPY docker/train.sh /app/train.sh
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 XDG_CACHE_HOME=/work/cache HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
WORKDIR /app
USER 10001
VOLUME ["/models", "/work"]
CMD ["sh", "/app/train.sh"]
