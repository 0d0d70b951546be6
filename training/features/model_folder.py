"""Where the files of a frozen model lie, and whether they are the ones that were meant."""

from __future__ import annotations

from hashlib import file_digest, sha256
from importlib.util import find_spec
from pathlib import Path

from training.errors import EncoderUnavailable

READ = ("*.json", "*.txt", "*.model", "*.safetensors")
"""Weights as safetensors, and what says how they are used: nothing of it is executed."""


def named_folder(name: str) -> tuple[str, Path]:
    """A model's name and folder.

    Args:
        name: a folder, or the name of a model on the Hugging Face hub (fetched once, then cached there).

    Raises:
        EncoderUnavailable: neither, or the hub cannot be reached.
    """
    folder = Path(name)
    return (folder.resolve().name, folder) if folder.is_dir() else (name, _from_hub(name))


def package_file(package: str, inside: str, expected: str) -> Path:
    """A weights file that an installed package carries; found without running any code of the package.

    Args:
        package: name of the import package.
        inside: path of the file in it.
        expected: hex sha256 of the published file.

    Raises:
        EncoderUnavailable: the package is not installed, or its file is not the published one.
    """
    found = find_spec(package)
    if found is None or found.origin is None:
        raise EncoderUnavailable(f"the package {package} is not installed (it is in the train extra)")
    path = Path(found.origin).parent / inside
    require_weights(path, expected)
    return path


def require_weights(path: Path, expected: str) -> None:
    """Refuse weights that are not the published ones.

    Raises:
        EncoderUnavailable: the file is not there or has another sha256.
    """
    if not path.is_file():
        raise EncoderUnavailable(f"{path} is not there")
    found = _sha256(path)
    if found != expected:
        raise EncoderUnavailable(f"{path}: its sha256 is {found}, not the published {expected}")


def folder_fingerprint(folder: Path, use: str) -> str:
    """Hex sha256 over every file that decides what a model answers, and over how it is used.

    Args:
        folder: of the model.
        use: settings that decide the answer as well, in one line.
    """
    digest = sha256(f"{use}\n".encode())
    for path in sorted(path for pattern in READ for path in folder.rglob(pattern)):
        digest.update(f"{path.relative_to(folder).as_posix()} {_sha256(path)}\n".encode())
    return digest.hexdigest()


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download  # takes a second, and rarely needed
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(READ)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise EncoderUnavailable(f"{name}: neither a folder here nor a model that can be fetched ({reason})") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
