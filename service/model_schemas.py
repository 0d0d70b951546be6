"""The wire of what concerns models: which there are, and which is active."""

from __future__ import annotations

from typing import Literal

from service.wire import Wire

ModelState = Literal["active", "previous", "on_disk", "refused"]


class ModelInfo(Wire):
    """A folder that is, or should be, a bundle."""

    folder: str
    model_version: str | None
    """None: its manifest cannot be read."""
    created_at: str | None
    """When it was exported, ISO 8601."""
    items: int | None
    state: ModelState
    """`on_disk`: proven when it is to be activated. `refused`: it was not sound, and nothing in it changed since."""
    open: bool
    """Whether this worker has it open, so that it can answer at once."""
    reason: str | None
    """What is wrong with the folder."""


class WorkerInfo(Wire):
    """A process that answers requests."""

    pid: int
    model_version: str
    """What it answers with."""


class VariantInfo(Wire):
    """A model to which a share of the users is given."""

    name: str
    model_version: str
    percent: float


class ModelsResponse(Wire):
    """What there is to choose from, the newest export first."""

    active: str
    previous: str | None
    """What a rollback goes back to."""
    models: list[ModelInfo]
    variants: list[VariantInfo]
    workers: list[WorkerInfo]
    answered_by: int
    """Process id of the worker that answers this: `active`, `open` and `reason` are its own."""


class ActiveResponse(Wire):
    """The worker that answers this answers with `active` from now on; the others follow within moments."""

    active: str
    previous: str | None
