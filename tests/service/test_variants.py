"""Users are divided between models by their id alone: evenly, the same way every time, and every answer says so."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import ValidationError

from service.bundle import BundleMissing
from service.keys import hash_of
from service.models.first import open_first
from service.models.refusals import Refusals
from service.models.variants import Variants
from service.settings import Settings, as_environment, read_settings
from tests.service.versions import Answer, answers_of, is_of, write_version

Serve = Callable[[Settings], httpx.Client]
HISTORY = ["book-01", "book-02"]
USERS = [f"user-{k}" for k in range(100_000)]


def name_of(variants: Variants, user: str | None) -> str:
    arm = variants.of(user)
    assert arm is not None
    return arm.name


@pytest.mark.parametrize(
    "text", ["control=active:90,new=B:10", "a=A:50,b=B:50", "a=A:33.3,b=B:33.3,c=C:33.4", "x=A:0.5,y=B:99.5"]
)
def test_shares_are_those_stated(text: str) -> None:
    """Within five standard deviations of the binomial: by chance wrong once in a million shares."""
    variants = Variants.parse(text)
    counted = Counter(name_of(variants, user) for user in USERS)
    for arm in variants.arms:
        share = float(arm.percent) / 100
        deviation = math.sqrt(len(USERS) * share * (1 - share))
        assert abs(counted[arm.name] - len(USERS) * share) < 5 * deviation


def test_a_user_stays_while_the_share_of_the_last_arm_grows() -> None:
    small, large = Variants.parse("control=A:90,new=B:10"), Variants.parse("control=A:70,new=B:30")
    assert all(name_of(large, user) == "new" for user in USERS[:20_000] if name_of(small, user) == "new")


def test_other_names_divide_the_users_independently() -> None:
    first, second = Variants.parse("a=A:50,b=B:50"), Variants.parse("c=A:50,d=B:50")
    both = sum(name_of(first, user) == "a" and name_of(second, user) == "c" for user in USERS)
    assert abs(both - len(USERS) / 4) < 5 * math.sqrt(len(USERS) * 3 / 16)


@examples(max_examples=200, deadline=None)
@given(user=st.text(min_size=1, max_size=30) | st.just("\ud800"))
def test_everybody_has_an_arm_that_has_a_share_and_always_the_same(user: str) -> None:
    variants = Variants.parse("none=A:0,all=B:100,last=C:0")
    assert name_of(variants, user) == name_of(variants, None) == "all"
    halves = Variants.parse("a=A:50,b=B:50")
    assert name_of(halves, user) == name_of(Variants.parse("a=A:50,b=B:50"), user)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "NAME=VERSION:PERCENT"),
        ("a=A", "NAME=VERSION:PERCENT"),
        ("a=A:-1,b=B:101", "NAME=VERSION:PERCENT"),
        ("a b=A:100", "NAME=VERSION:PERCENT"),
        ("a=A:90,b=B:9", "99 percent together"),
        ("a=A:50,a=B:50", "name of its own"),
    ],
)
def test_a_slip_of_the_pen_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings.model_validate({"variants": text})


def test_variants_reach_the_workers_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    stated = Settings(variants="control=active:99.5,new=tiny-A0-0123456789ab:0.5")
    for name, value in as_environment(stated).items():
        monkeypatch.setenv(name, value)
    assert read_settings() == stated


@pytest.fixture
def versions(tiny_bundle: Path, tmp_path: Path) -> list[str]:
    return [write_version(tiny_bundle, tmp_path / "models" / f"b{number}", number) for number in range(3)]


@pytest.fixture
def divided(versions: list[str], settings: Settings, tmp_path: Path) -> Settings:
    """The active model is b2; b1 has half of the users, b0 only those who ask for it."""
    variants = f"control=active:50,new={versions[1]}:50,asked={versions[0]}:0"
    return settings.model_copy(
        update={"bundle": tmp_path / "models", "variants": variants, "admin_key_sha256": hash_of("the-admin-key")}
    )


def ask(client: httpx.Client, **body: str | None) -> tuple[dict[str, Any], Answer]:
    found = client.post("/recommend", json={"history": HISTORY, "n": 20} | body)
    assert found.status_code == 200, found.text
    return found.json(), [(item["item_id"], item["score"]) for item in found.json()["items"]]


def test_every_user_is_answered_by_the_model_of_their_variant(
    serve: Serve, divided: Settings, versions: list[str]
) -> None:
    expected = [answers_of(divided.bundle / f"b{number}", [HISTORY], 20)[0] for number in range(3)]
    client, variants = serve(divided), Variants.of_settings(divided.variants)
    counted: Counter[str] = Counter()
    for user in (*USERS[:60], None):
        body, answer = ask(client, user_id=user)
        number = {"control": 2, "new": 1}[body["variant"]]
        assert body["variant"] == name_of(variants, user)
        assert body["model_version"] == versions[number]
        assert is_of(expected[number], answer)
        counted[body["variant"]] += 1
    assert min(counted["control"], counted["new"]) > 10
    metrics = client.get("/metrics").text
    for name, count in counted.items():
        line = f'rec_recommendations_total{{degraded="false",source="model",variant="{name}"}} {count}.0'
        assert line in metrics
    assert [one["name"] for one in client.get("/models").json()["variants"]] == ["control", "new", "asked"]


def test_a_request_may_name_its_model_if_it_is_open(serve: Serve, divided: Settings, versions: list[str]) -> None:
    client = serve(divided)
    expected = answers_of(divided.bundle / "b0", [HISTORY], 20)[0]
    body, answer = ask(client, user_id="ada", model=versions[0])
    assert (body["model_version"], body["variant"]) == (versions[0], None)
    assert is_of(expected, answer)
    refused = client.post("/recommend", json={"model": "tiny-A0-none"})
    assert (refused.status_code, refused.json()["error"]) == (404, "unknown_model")
    assert all(version in refused.json()["message"] for version in versions)


def test_an_activation_moves_who_follows_the_active_model_and_nobody_else(
    serve: Serve, divided: Settings, versions: list[str]
) -> None:
    client, variants = serve(divided), Variants.of_settings(divided.variants)
    users = {arm: next(user for user in USERS if name_of(variants, user) == arm) for arm in ("control", "new")}
    for version in (versions[0], versions[1], versions[2]):
        path, headers = f"/admin/models/{version}/activate", {"Authorization": "Bearer the-admin-key"}
        assert client.post(path, headers=headers).status_code == 200
        assert ask(client, user_id=users["control"])[0]["model_version"] == version
        assert ask(client, user_id=users["new"])[0]["model_version"] == versions[1]


def test_without_variants_there_is_none(client: httpx.Client) -> None:
    body, _ = ask(client, user_id="ada")
    assert body["variant"] is None


def test_a_variant_of_a_version_that_is_not_there_is_no_start(versions: list[str], tmp_path: Path) -> None:
    settings = Settings(bundle=tmp_path / "models", variants="control=active:50,new=nobody:50")
    with pytest.raises(BundleMissing, match="REC_VARIANTS names nobody"):
        open_first(settings, Refusals())
