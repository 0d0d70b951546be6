"""Which model a service begins with."""

from __future__ import annotations

import structlog

from service.bundle import BundleError, BundleMissing
from service.errors import UnknownModel
from service.models.active_file import Active, ActiveFile
from service.models.folders import ModelFolders, stamp_of
from service.models.opening import Model, open_model
from service.models.refusals import Refusals
from service.settings import Settings


def open_first(settings: Settings, refusals: Refusals) -> tuple[Active, Model]:
    """The model that is active, opened.

    Of several it is the one that the active file names, and no other: if that is not sound, there is no start. Where
    nobody ever activated one, it is the newest export that is sound, and that is written down, so that a bundle that
    comes later is not active by accident.

    Raises:
        BundleError: no model may serve; names the file.
        DeviceUnavailable: the device of the settings is not there.
        ActiveFileUnreadable: nobody can say which model is active.
    """
    folders, file = ModelFolders(settings.bundle), ActiveFile.of(settings)
    if not folders.several:
        model = open_model(settings)
        return Active(active=model.version), model
    if (said := file.read()) is not None:
        return said, _open_named(said.active, folders, settings)
    model = _open_newest(folders, settings, refusals)
    now = Active(active=model.version)
    try:
        file.write(now)
    except OSError as error:
        reason = f"{file.path}: {error.strerror}"
        structlog.get_logger("service.models").warning("no model can be activated", reason=reason)
    return now, model


def _open_named(version: str, folders: ModelFolders, settings: Settings) -> Model:
    try:
        folder = folders.folder_of(version)
    except UnknownModel as error:
        raise BundleMissing(
            f"{ActiveFile.of(settings).path} says {version}, which lies nowhere in {folders.root}"
        ) from error
    return open_model(settings.model_copy(update={"bundle": folder}))


def _open_newest(folders: ModelFolders, settings: Settings, refusals: Refusals) -> Model:
    reasons: list[str] = []
    for one in folders.found():
        stamp = stamp_of(one.folder)
        try:
            return open_model(settings.model_copy(update={"bundle": one.folder}))
        except BundleError as error:
            reasons.append(str(error))
            refusals.remember(one.folder, stamp, folders.named(str(error)))
            structlog.get_logger("service.models").error("model refused", folder=one.folder.name, reason=str(error))
    raise BundleMissing(f"{folders.root}: no bundle in it may serve: {'; '.join(reasons)}")
