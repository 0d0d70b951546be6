"""20 examples of each operation here; `make fuzz` sends 1,000."""

from __future__ import annotations

from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from benchmarks.fuzz import keep_the_contract
from service.app import create_app
from service.settings import Settings

schema = schemathesis.openapi.from_dict(create_app(Settings(redis_url="redis://unused")).openapi())


@schema.parametrize()
@settings(
    max_examples=20, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
def test_every_operation_keeps_the_contract(case: schemathesis.Case[Any], client: httpx.Client) -> None:
    keep_the_contract(case, case.call(base_url=str(client.base_url)))
