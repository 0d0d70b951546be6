"""20 examples of each operation here; `make fuzz` sends 1,000."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from hypothesis import HealthCheck, Phase, settings
from schemathesis.core.failures import Failure, FailureGroup

from benchmarks.fuzz import keep_the_contract
from service.app import create_app
from service.schemas import Liveness
from service.settings import Settings

schema = schemathesis.openapi.from_dict(create_app(Settings(redis_url="redis://unused")).openapi())


@schema.parametrize()
@settings(
    max_examples=20, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
def test_every_operation_keeps_the_contract(case: schemathesis.Case[Any], client: httpx.Client) -> None:
    keep_the_contract(case, case.call(base_url=str(client.base_url)))


@pytest.mark.parametrize(("status", "body", "kept"), [
    (200, {"status": "alive"}, True), (200, {"status": "dead"}, False), (200, {}, True), (200, [], False),
    (418, {"status": "alive"}, False), (500, {"status": "alive"}, False), (504, {"status": "alive"}, False),
])  # fmt: skip
def test_a_service_that_breaks_the_contract_is_found(status: int, body: object, *, kept: bool) -> None:
    app = FastAPI()

    @app.get("/livez", response_model=Liveness)
    async def livez() -> JSONResponse:
        return JSONResponse(body, status, {"X-Request-Id": "1"})

    case = schemathesis.openapi.from_asgi("/openapi.json", app)["/livez"]["GET"].Case()
    response = case.call()
    if kept:
        keep_the_contract(case, response)
        return
    with pytest.raises((AssertionError, Failure, FailureGroup)):
        keep_the_contract(case, response)
