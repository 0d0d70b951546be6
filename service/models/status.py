"""What there is to choose from, in one look."""

from __future__ import annotations

import asyncio
import os

from service.model_schemas import ModelInfo, ModelsResponse, ModelState, VariantInfo, WorkerInfo
from service.models.active_file import Active
from service.models.folders import Found
from service.models.registry import Models
from service.models.reload import Reloads
from service.models.variants import ACTIVE
from service.scraping import Scraping


async def status_of(models: Models, reloads: Reloads, scraping: Scraping) -> ModelsResponse:
    """The bundles on disk, as this worker sees them, and what every worker answers with."""
    now = models.now
    rows = await asyncio.to_thread(_rows, now, models.versions(), reloads)
    answering = await scraping.active_by_worker()
    variants = [
        VariantInfo(
            name=arm.name,
            model_version=now.active if arm.version == ACTIVE else arm.version,
            percent=float(arm.percent),
        )
        for arm in models.variants.arms
    ]
    return ModelsResponse(
        active=now.active,
        previous=now.previous,
        models=rows,
        variants=variants,
        workers=[WorkerInfo(pid=pid, model_version=version) for pid, version in answering.items()],
        answered_by=os.getpid(),
    )


def _rows(now: Active, is_open: tuple[str, ...], reloads: Reloads) -> list[ModelInfo]:
    return [_row(one, now, is_open, reloads) for one in reloads.folders.found()]


def _row(one: Found, now: Active, is_open: tuple[str, ...], reloads: Reloads) -> ModelInfo:
    reason = one.reason or reloads.refusals.reason(one.folder)
    manifest = one.manifest
    return ModelInfo(
        folder=one.folder.name,
        model_version=one.version,
        created_at=None if manifest is None else manifest.created_at.isoformat(),
        items=None if manifest is None else manifest.catalog.size,
        state=_state(one.version, now, refused=reason is not None),
        open=one.version in is_open,
        reason=None if reason is None else reloads.folders.named(reason),
    )


def _state(version: str | None, now: Active, *, refused: bool) -> ModelState:
    """What serves goes on serving, whatever became of its folder."""
    if version == now.active:
        return "active"
    if refused:
        return "refused"
    return "previous" if version == now.previous else "on_disk"
