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
    pictures: Annotated[
        bool, typer.Option(help="Take along the pictures that the data set has of its items, made small.")
    ] = True,
) -> None:
    """Turn a trained student into an ONNX bundle that is proven equal to it."""
    try:
        published = publish(run, data, bundle, pictures=pictures)
    except (ArtefactError, ConfigError, DataError, ExportError) as error:
        typer.echo(f"refused: {error}", err=True)
        raise typer.Exit(2) from error
    if (remark := published.pictures.remark()) is not None:
        typer.echo(f"pictures: {remark}", err=True)
    manifest, packed = published.manifest, published.pictures.packed
    seen = f" ({packed:,} with a picture)" if packed else ""
    typer.echo(
        f"{manifest.model_version}: {manifest.catalog.size:,} items{seen}, "
        f"parity {manifest.parity.max_abs_diff:.1e} over {manifest.parity.histories:,} histories; it lies in {bundle}",
        err=True,
    )


if __name__ == "__main__":
    typer.run(export)
