"""A model lives exactly as long as somebody needs it; and of two who want another one, only one has it."""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.errors import NotActivated
from service.metrics import Metrics
from service.model_thread import ModelThread
from service.models.active_file import Active, ActiveFile
from service.models.registry import Models
from service.models.reload import Reloads
from service.models.running import running_models
from service.recommender import Recommender
from service.settings import Settings
from tests.service.versions import write_version


@pytest.fixture
def versions(tiny_bundle: Path, tmp_path: Path) -> list[str]:
    return [write_version(tiny_bundle, tmp_path / "models" / f"b{number}", number) for number in range(3)]


def model_thread(recommender: Recommender) -> ModelThread:
    return ModelThread(recommender, 64, Metrics())


@asynccontextmanager
async def running(folder: Path, **changed: object) -> AsyncIterator[tuple[Models, Reloads]]:
    settings = Settings.model_validate({"bundle": folder / "models", "active_poll_seconds": 3600} | changed)
    async with running_models(settings, Metrics(), model_thread) as parts:
        yield parts


async def until_gone(watched: weakref.ref[Recommender]) -> bool:
    for _ in range(1000):
        if watched() is None:
            return True
        await asyncio.sleep(0.01)
    return False


def test_a_model_is_released_when_its_last_request_is_done_and_not_before(versions: list[str], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as (models, reloads):
            with models.active as held:
                watched = weakref.ref(held.model.recommender)
                await reloads.activate(versions[0])
                await reloads.activate(versions[1])
                await asyncio.sleep(0.1)
                assert versions[2] not in models.versions()
                assert held.model.version == versions[2]
                assert watched() is not None
            del held
            assert await until_gone(watched)
        assert sys.getswitchinterval() == before

    before = sys.getswitchinterval()

    asyncio.run(scenario())


@pytest.mark.parametrize("keep", [True, False])
def test_the_previous_model_is_kept_if_asked_for_and_a_rollback_works_either_way(
    versions: list[str], tmp_path: Path, *, keep: bool
) -> None:
    async def scenario() -> None:
        async with running(tmp_path, keep_previous=keep) as (models, reloads):
            await reloads.activate(versions[0])
            assert set(models.versions()) == ({versions[0], versions[2]} if keep else {versions[0]})
            assert await reloads.roll_back() == Active(active=versions[2], previous=versions[0])
            assert models.active.version == versions[2]

    asyncio.run(scenario())


def test_after_a_restart_the_previous_model_is_made_ready_again(versions: list[str], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as (_, reloads):
            await reloads.activate(versions[0])
        async with running(tmp_path) as (models, _):
            for _ in range(1000):
                if versions[2] in models.versions():
                    break
                await asyncio.sleep(0.01)
            assert set(models.versions()) == {versions[0], versions[2]}

    asyncio.run(scenario())


def test_who_is_overtaken_while_proving_is_told(versions: list[str], tmp_path: Path) -> None:
    """Another worker activates, or rolls back, while this one proves: the later word does not undo it unseen."""
    file = ActiveFile(tmp_path / "models" / "active.json")
    elsewhere = Active(active=versions[1], previous=versions[2])

    def start_thread(recommender: Recommender) -> ModelThread:
        """Called between proof and exchange."""
        if file.read() == Active(active=versions[2]) and started:
            file.write(elsewhere)
        started.append(True)
        return model_thread(recommender)

    async def scenario() -> None:
        settings = Settings(bundle=tmp_path / "models", active_poll_seconds=3600)
        async with running_models(settings, Metrics(), start_thread) as (models, reloads):
            with pytest.raises(NotActivated, match="meanwhile"):
                await reloads.activate(versions[0])
            assert models.now == Active(active=versions[2])
            await reloads.follow()
            assert models.now == elsewhere

    started: list[bool] = []
    asyncio.run(scenario())


def test_many_at_once_end_in_one_state_and_leave_no_model_behind(versions: list[str], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as (models, reloads):
            wanted = [versions[turn % 3] for turn in range(12)]
            ended = await asyncio.gather(*map(reloads.activate, wanted), return_exceptions=True)
            assert all(isinstance(one, Active | NotActivated) for one in ended), ended
            assert ActiveFile(tmp_path / "models" / "active.json").read() == models.now
            assert set(models.versions()) == {models.now.active, models.now.previous} - {None}

    asyncio.run(scenario())
