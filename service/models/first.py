"""Which models a service begins with."""

from __future__ import annotations

import structlog

from service.bundle import BundleError, BundleMissing
from service.errors import UnknownModel
from service.models.active_file import Active, ActiveFile
from service.models.folders import ModelFolders, stamp_of
from service.models.opening import Model, open_model
from service.models.refusals import Refusals
from service.models.variants import Variants
from service.settings import Settings


def open_first(settings: Settings, refusals: Refusals) -> tuple[Active, list[Model]]:
    """The model that is active, and after it those that variants name, opened.

    Of several it is the one that the active file names, and no other: if that is not sound, there is no start. Where
    nobody ever activated one, it is the newest export that is sound, and that is written down, so that a bundle that
    comes later is not active by accident.

    Raises:
        BundleError: a model that is needed is not there, or may not serve; names the file.
        DeviceUnavailable: the device of the settings is not there.
        ActiveFileUnreadable: nobody can say which model is active.
    """
    folders = ModelFolders(settings.bundle)
    now, active = _open_active(folders, settings, refusals)
    pinned = Variants.of_settings(settings.variants).versions - {now.active}
    return now, [active, *(_open_named(version, "REC_VARIANTS", folders, settings) for version in sorted(pinned))]


def _open_active(folders: ModelFolders, settings: Settings, refusals: Refusals) -> tuple[Active, Model]:
    file = ActiveFile.of(settings)
    if not folders.several:
        model = open_model(settings)
        return Active(active=model.version), model
    if (said := file.read()) is not None:
        return said, _open_named(said.active, str(file.path), folders, settings)
    model = _open_newest(folders, settings, refusals)
    now = Active(active=model.version)
    try:
        file.write(now)
    except OSError as error:
        reason = f"{file.path}: {error.strerror}"
        structlog.get_logger("service.models").warning("no model can be activated", reason=reason)
    return now, model


def _open_named(version: str, where: str, folders: ModelFolders, settings: Settings) -> Model:
    try:
        folder = folders.folder_of(version)
    except UnknownModel as error:
        raise BundleMissing(f"{where} names {version}, which is not in {folders.root}") from error
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
