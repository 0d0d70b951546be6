import pytest
from pydantic import ValidationError

from service.settings import Settings
from service.tracing.address import traces_address


@pytest.mark.parametrize(
    "wrong",
    ["collector:4318", "grpc://collector:4317", "http://", "http://collector:port", "http://me:secret@collector:4318",
     "https://collector?key=secret", "http://collector#secret"],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_not_repeated(wrong: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(otlp_endpoint=wrong)
    (error,) = refused.value.errors(include_input=False)
    assert error["loc"] == ("otlp_endpoint",)
    assert "secret" not in error["msg"]


@pytest.mark.parametrize("given", ["http://collector:4318", "http://collector:4318/"])
def test_the_door_for_spans_is_added(given: str) -> None:
    settings = Settings(otlp_endpoint=given)
    assert settings.otlp_endpoint is not None
    assert traces_address(settings.otlp_endpoint) == "http://collector:4318/v1/traces"


def test_a_collector_behind_a_path() -> None:
    assert traces_address("https://host/otlp") == "https://host/otlp/v1/traces"


def test_empty_is_off() -> None:
    assert Settings(otlp_endpoint="").otlp_endpoint == ""
