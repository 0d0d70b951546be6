"""Show what a model bundle is, after every byte of it was proven: `python examples/inspect_bundle.py BUNDLE`.

Needs no torch: the base dependencies suffice.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from service.bundle import BundleError, ModelBundle

POPULAR = 5


def main(folder: Path) -> None:
    """Write one line per fact, or why this is no bundle."""
    try:
        bundle = ModelBundle.read(folder)
    except BundleError as error:
        sys.exit(f"refused: {error}")
    for name, fact in facts(bundle):
        sys.stdout.write(f"{name:<10} {fact}\n")


def facts(bundle: ModelBundle) -> Iterator[tuple[str, str]]:
    """(what it is about, what is so)."""
    manifest = bundle.manifest
    student, data, parity = manifest.student, manifest.data, manifest.parity
    yield "version", f"{manifest.model_version}, made {manifest.created_at:%Y-%m-%d %H:%M} UTC"
    yield "items", f"{manifest.catalog.size:,}"
    yield "model", f"{student.name}, row {student.row}, {student.parameters:,} parameters, seed {student.seed}"
    yield "graph", f"reads the newest {manifest.encoder.max_history} items, width {manifest.encoder.width}"
    yield "teachers", ", ".join(f"{one.name} {one.fingerprint[:12]}" for one in manifest.teachers) or "none"
    yield "data", f"{data.name} {data.fingerprint[:12]}, split {data.split}"
    yield "parity", f"within {parity.max_abs_diff:.1e} of the student over {parity.histories:,} histories"
    for protocol, metrics in manifest.offline_metrics.items():
        yield protocol, ", ".join(f"{name} {value:,.4g}" for name, value in metrics.items())
    if manifest.repeat_offset is not None:
        yield "seen", f"{manifest.repeat_offset:+.4g} on the score of what was seen, where it may come back"
    yield "popular", ", ".join(title(bundle, index) for index in bundle.popular[:POPULAR].tolist())
    for name, entry in manifest.files.items():
        yield "file", f"{name:<24} {entry.bytes:>12,} bytes  {entry.sha256[:12]}"


def title(bundle: ModelBundle, index: int) -> str:
    """What people call the item with this catalogue index."""
    return bundle.card(index).title or bundle.catalog.item_id(index)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
