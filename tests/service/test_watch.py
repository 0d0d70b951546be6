"""What comes into the folder of the models is activated by itself: never half of it, never what is old."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.metrics import Metrics
from service.models.registry import Models
from service.models.reload import Reloads
from service.models.running import running_models
from service.settings import Settings
from tests.service.test_leases import model_thread
from tests.service.versions import flip_a_byte, spoil_the_golden_answers, write_version

POLL = 0.05


@pytest.fixture
def versions(tiny_bundle: Path, tmp_path: Path) -> list[str]:
    """One version is served, `new/b2` and `new/b3` lie elsewhere; b0 is older than what is served."""
    served = write_version(tiny_bundle, tmp_path / "models" / "b1", 1)
    others = {number: write_version(tiny_bundle, tmp_path / "new" / f"b{number}", number) for number in (0, 2, 3)}
    return [others[0], served, others[2], others[3]]


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[tuple[Models, Reloads]]:
    settings = Settings(bundle=folder / "models", watch_models=True, active_poll_seconds=POLL)
    async with running_models(settings, Metrics(), model_thread) as parts:
        yield parts


async def comes_true(condition: Callable[[], bool]) -> bool:
    for _ in range(400):
        if condition():
            return True
        await asyncio.sleep(POLL)
    return False


async def comes_to_answer(models: Models, version: str) -> bool:
    return await comes_true(lambda: models.now.active == version)


async def some_looks() -> None:
    await asyncio.sleep(8 * POLL)


def test_a_bundle_that_comes_is_activated_and_an_old_one_is_not(versions: list[str], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watching(tmp_path) as (models, _):
            shutil.copytree(tmp_path / "new" / "b0", tmp_path / "models" / "b0")
            await some_looks()
            assert models.now.active == versions[1]
            shutil.copytree(tmp_path / "new" / "b2", tmp_path / "models" / "b2")
            assert await comes_to_answer(models, versions[2])

    asyncio.run(scenario())


def test_what_lies_there_at_the_start_waits(versions: list[str], tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "models" / "active.json").write_text(json.dumps({"active": versions[1]}))
        shutil.copytree(tmp_path / "new" / "b2", tmp_path / "models" / "b2")
        async with watching(tmp_path) as (models, _):
            await some_looks()
            assert models.now.active == versions[1]

    asyncio.run(scenario())


def test_a_folder_that_is_being_copied_is_left_alone_until_it_is_whole(versions: list[str], tmp_path: Path) -> None:
    """The manifest first, then file by file, one of them in two halves, with pauses longer than a look."""

    async def scenario() -> None:
        source, target = tmp_path / "new" / "b2", tmp_path / "models" / "b2"
        async with watching(tmp_path) as (models, reloads):
            target.mkdir()
            names = sorted((path.name for path in source.iterdir()), key=lambda name: not name.startswith("manifest"))
            for name in names:
                content = (source / name).read_bytes()
                (target / name).write_bytes(content[: len(content) // 2])
                await asyncio.sleep(2.5 * POLL)
                assert models.now.active == versions[1]
                (target / name).write_bytes(content)
            assert await comes_to_answer(models, versions[2])
            assert reloads.refusals.reason(target) is None

    asyncio.run(scenario())


@pytest.mark.parametrize("name", [".b2", "tmp-b2", "b2.tmp", "b2.part"])
def test_a_folder_with_a_temporary_name_is_not_there_until_it_is_renamed(
    versions: list[str], tmp_path: Path, name: str
) -> None:
    async def scenario() -> None:
        async with watching(tmp_path) as (models, _):
            aside = shutil.copytree(tmp_path / "new" / "b2", tmp_path / "models" / name)
            await some_looks()
            assert models.now.active == versions[1]
            shutil.move(aside, tmp_path / "models" / "b2")
            assert await comes_to_answer(models, versions[2])

    asyncio.run(scenario())


@pytest.mark.parametrize("damage", [flip_a_byte, spoil_the_golden_answers])
def test_an_unsound_bundle_is_refused_once_and_again_only_when_it_changes(
    versions: list[str], tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    async def scenario() -> None:
        target = tmp_path / "models" / "b2"
        async with watching(tmp_path) as (models, reloads):
            aside = Path(shutil.copytree(tmp_path / "new" / "b2", tmp_path / "models" / ".b2"))
            damage(aside)
            shutil.move(aside, target)
            assert await comes_true(lambda: reloads.refusals.reason(target) is not None)
            assert models.now.active == versions[1]
            for path in (tmp_path / "new" / "b2").iterdir():
                shutil.copy(path, target)
            assert await comes_to_answer(models, versions[2])

    asyncio.run(scenario())


def test_what_was_rolled_back_does_not_come_back_by_itself(versions: list[str], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watching(tmp_path) as (models, reloads):
            shutil.copytree(tmp_path / "new" / "b2", tmp_path / "models" / "b2")
            assert await comes_to_answer(models, versions[2])
            await reloads.roll_back()
            await some_looks()
            assert models.now.active == versions[1]
            shutil.copytree(tmp_path / "new" / "b3", tmp_path / "models" / "b3")
            assert await comes_to_answer(models, versions[3])

    asyncio.run(scenario())
