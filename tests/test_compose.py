"""What docker-compose.yml and the Dockerfiles promise. Running them needs an engine; docs/docker.md tells of that."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # uvicorn brings it along, without stubs

from service.settings import Settings, read_settings
from service.tracing.tracing import FLUSH_SECONDS

ROOT = Path(__file__).parents[1]
DOCKERFILES = ["docker/service.Dockerfile", "docker/training.Dockerfile"]
Instructions = list[tuple[str, str]]


def instructions(dockerfile: str) -> Instructions:
    """(instruction, rest) of every logical line."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / dockerfile).read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", "", text).splitlines()
    parts = (line.strip().split(maxsplit=1) for line in lines if line.strip())
    return [(name, rest) for name, rest in parts]


def final_stage(dockerfile: str) -> Instructions:
    found = instructions(dockerfile)
    last = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[last:]


def only(found: Instructions, wanted: str) -> str:
    (rest,) = [rest for name, rest in found if name == wanted]
    return rest


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_images_run_as_a_numbered_user_that_is_not_root(dockerfile: str) -> None:
    """A number, because Kubernetes' runAsNonRoot cannot judge a name."""
    assert int(only(final_stage(dockerfile), "USER")) > 0


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_images_are_built_in_two_stages_from_the_python_of_pyproject(dockerfile: str) -> None:
    found = instructions(dockerfile)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert found[:2] == [("ARG", "PYTHON=" + declared.removeprefix(">=")), ("ARG", 'REGISTRY=""')]
    stages = [rest for name, rest in found if name == "FROM"]
    assert stages == ["${REGISTRY}python:${PYTHON}-slim AS build", "${REGISTRY}python:${PYTHON}-slim"]
    assert ("COPY", "--from=build /venv /venv") in final_stage(dockerfile)


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_versions_are_the_tested_ones(dockerfile: str) -> None:
    found = instructions(dockerfile)
    assert any("PIP_CONSTRAINT=/src/constraints.txt" in rest for name, rest in found if name == "ENV")
    assert ("COPY", "pyproject.toml constraints.txt ./") in found


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_images_do_not_report_to_the_makers_of_onnx_runtime(dockerfile: str) -> None:
    assert "ORT_DISABLE_TELEMETRY=1" in only(final_stage(dockerfile), "ENV").split()


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_what_is_copied_exists_and_is_in_the_build_context(dockerfile: str) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for name, rest in instructions(dockerfile):
        if name == "COPY" and not rest.startswith("--from"):
            *sources, _ = rest.split()
            for source in sources:
                assert (ROOT / source).exists(), source
                assert any(f"!{part}" in ignored for part in (source, source.split("/")[0])), source


def test_the_service_image_refuses_to_be_built_with_torch() -> None:
    (step,) = [rest for name, rest in instructions(DOCKERFILES[0]) if name == "RUN" and "find_spec" in rest]
    for offline in ("torch", "training", "export"):
        assert f"'{offline}'" in step
    assert "raise SystemExit" in step
    copied = [rest for name, rest in instructions(DOCKERFILES[0]) if name == "COPY"]
    assert not any(re.search(r"\b(training|export)\b", rest) for rest in copied)


def test_the_service_image_can_send_traces() -> None:
    (step,) = [rest for name, rest in instructions(DOCKERFILES[0]) if name == "RUN" and "requirements.txt" in rest]
    assert "['optional-dependencies']['otel']" in step
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["otel"]


def test_the_end_of_a_worker_fits_the_patience_of_compose(compose: dict[str, Any]) -> None:
    settings = Settings()
    patience = float(compose["services"]["service"]["stop_grace_period"].removesuffix("s"))
    assert settings.drain_seconds + settings.shutdown_seconds + FLUSH_SECONDS < patience


def test_the_service_image_starts_the_service_and_asks_it_whether_it_is_ready() -> None:
    final = final_stage(DOCKERFILES[0])
    command = json.loads(only(final, "CMD"))
    assert command == ["python", "-m", "service", "serve", "/bundle", "--host", "0.0.0.0"]  # noqa: S104 - in a container
    assert "/readyz" in only(final, "HEALTHCHECK")


def test_the_health_check_is_the_same_in_the_image_and_in_compose(compose: dict[str, Any]) -> None:
    told = only(final_stage(DOCKERFILES[0]), "HEALTHCHECK").partition("CMD ")[2]
    assert compose["services"]["service"]["healthcheck"]["test"] == ["CMD", *json.loads(told)]


def test_redis_is_a_bounded_cache_that_nobody_else_reaches(compose: dict[str, Any]) -> None:
    redis = compose["services"]["redis"]
    command = redis["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--maxmemory"] == "${REDIS_MAXMEMORY:-256mb}"
    assert options["--maxmemory-policy"] == "allkeys-lru"
    assert options["--save"] == ""
    assert options["--appendonly"] == "no"
    assert redis["healthcheck"]["test"] == ["CMD", "redis-cli", "ping"]
    assert "ports" not in redis
    assert compose["networks"]["cache"] == {"internal": True}
    assert redis["networks"] == ["cache"]


def test_the_service_waits_for_redis_and_for_a_whole_bundle(compose: dict[str, Any]) -> None:
    assert compose["services"]["service"]["depends_on"] == {
        "redis": {"condition": "service_healthy"},
        "trainer": {"condition": "service_completed_successfully"},
    }
    assert compose["services"]["trainer"]["restart"] == "no"


def test_the_service_reads_what_the_trainer_writes_and_cannot_change_it(compose: dict[str, Any]) -> None:
    assert compose["services"]["service"]["volumes"] == ["models:/models:ro", "state:/state"]
    assert "models:/models" in compose["services"]["trainer"]["volumes"]
    script = (ROOT / "docker/train.sh").read_text()
    command, environment = (compose["services"]["service"][key] for key in ("command", "environment"))
    for path in (f"{command[4]}/bundle", environment["REC_SEED_INTERACTIONS"]):
        assert path.replace("/models", "$models") in script


def test_the_one_thing_that_the_service_may_write_is_which_model_is_active(compose: dict[str, Any]) -> None:
    """A new volume takes over the owner of the image's folder, so that folder must be the user's."""
    assert compose["services"]["service"]["environment"]["REC_ACTIVE_FILE"].startswith("/state/")
    assert "state" in compose["volumes"]
    final = final_stage(DOCKERFILES[0])
    made = only(final, "RUN")
    user = re.search(r"useradd --uid (\d+) .* (\w+) &&", made)
    assert user is not None
    assert user[1] == only(final, "USER")
    assert made.endswith(f"mkdir /state && chown {user[2]} /state")


def test_one_variable_tells_where_every_base_image_comes_from(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        if "build" in service:
            assert service["build"]["args"]["REGISTRY"] == "${REGISTRY:-}"
        else:
            assert service["image"].startswith("${REGISTRY:-}")


def test_every_variable_of_the_file_is_explained(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    handed_on = {name for name, value in compose["services"]["service"]["environment"].items() if value is None}
    table = [line for line in (ROOT / "docs/docker.md").read_text().splitlines() if line.startswith("| `")]
    explained = {name for line in table for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    used = set(re.findall(r"\$\{(\w+)", text)) | handed_on
    assert used - explained - {"PROMETHEUS_PORT", "GRAFANA_PORT"} == set()


def test_the_environment_of_the_service_is_made_of_settings(compose: dict[str, Any]) -> None:
    environment = compose["services"]["service"]["environment"]
    read_settings(environment)  # refuses names that are none
    assert environment["REC_REDIS_URL"].startswith("redis://redis:")
    assert {name.removeprefix("REC_").lower() for name in environment} <= set(Settings.model_fields)


@pytest.mark.parametrize("name", ["redis", "trainer", "service", "prometheus", "grafana"])
def test_containers_can_do_little(compose: dict[str, Any], name: str) -> None:
    container = compose["services"][name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in container


def test_the_port_is_this_machines_alone_unless_asked(compose: dict[str, Any]) -> None:
    assert compose["services"]["service"]["ports"] == ["${BIND:-127.0.0.1}:${PORT:-8000}:8000"]


def test_the_trainer_takes_the_steps_of_make_serve() -> None:
    """The same step names, data set, teacher and student as the Makefile; both lists come from the files."""
    steps = re.compile(r"-m (training (?:prepare|pretrain|finetune|gather|distill)(?: (?!-)\S+)?|export)\b")
    by_compose = steps.findall((ROOT / "docker/train.sh").read_text())
    assert by_compose == steps.findall((ROOT / "Makefile").read_text())
    assert len(by_compose) == 6


def test_the_trainer_uses_the_configs_of_make_serve() -> None:
    named = re.compile(r"(?:\$configs|\$\(CONFIGS\))[/\"]+(\w+\.toml)")
    by_compose = set(named.findall((ROOT / "docker/train.sh").read_text()))
    assert by_compose == set(named.findall((ROOT / "Makefile").read_text()))
    for name in by_compose:
        assert (ROOT / "configs/movielens-100k" / name).is_file()
