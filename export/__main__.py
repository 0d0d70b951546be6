"""The command line of the bridge: `python -m export RUN BUNDLE --data DATA`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from export.errors import ExportError
from export.publish import publish
from training.artefacts import ArtefactError
from training.config import ConfigError
from training.errors import DataError


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a trained student.")],
    bundle: Annotated[Path, typer.Argument(help="Folder to write; one that is there is replaced.")],
    data: Annotated[
        Path | None, typer.Option(help="The data set it was trained on; default: where it was then.")
    ] = None,
) -> None:
    """Turn a trained student into an ONNX bundle that is proven equal to it."""
    try:
        manifest = publish(run, data, bundle)
    except (ArtefactError, ConfigError, DataError, ExportError) as error:
        typer.echo(f"refused: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(
        f"{manifest.model_version}: {manifest.catalog.size:,} items, parity {manifest.parity.max_abs_diff:.1e} over "
        f"{manifest.parity.histories:,} histories; it lies in {bundle}",
        err=True,
    )


if __name__ == "__main__":
    typer.run(export)
