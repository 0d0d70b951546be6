"""Whatever the OpenAPI allows is answered as it says, and so is what it does not allow."""

from __future__ import annotations

import json
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from service.app import create_app
from service.settings import Settings

schema = schemathesis.openapi.from_dict(create_app(Settings(redis_url="redis://unused")).openapi())


@schema.include(path_regex="^/(recommend|events|users|items|models|admin|livez|readyz|console)").parametrize()
@settings(
    max_examples=20, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
def test_every_operation_keeps_the_contract(case: schemathesis.Case[Any], client: httpx.Client) -> None:
    response = case.call(base_url=str(client.base_url))
    if "x-request-id" not in response.headers:  # the server's parser refused a request line beyond 64 KB
        assert response.status_code == 400
        return
    checks = [status_code_conformance, response_schema_conformance]
    if response.status_code == 504:
        assert '"deadline_ms"' in json.dumps(case.body)  # it asked for that
    else:
        checks.append(not_a_server_error)
    case.validate_response(response, checks=checks)
