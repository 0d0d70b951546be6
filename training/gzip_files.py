"""Files that may be gzipped: read whole or refused by name, written the same bytes on every machine."""

import gzip
import zlib
from pathlib import Path

from training.errors import SourceInvalid, SourceUnavailable


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked where its name ends in `.gz`.

    Raises:
        SourceUnavailable: not there, or not readable.
        SourceInvalid: empty, not gzip though its name says so, or cut off.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except gzip.BadGzipFile as error:
        raise SourceInvalid(f"{path}: {error}") from error
    except (EOFError, zlib.error) as error:
        raise SourceInvalid(f"{path}: the gzip stream is cut off or damaged: {error}") from error
    except OSError as error:
        raise SourceUnavailable(f"{path}: {error.strerror}") from error
    if not content.strip():
        raise SourceInvalid(f"{path} is empty")
    return content


def write_bytes(path: Path, content: bytes) -> None:
    """Write gzipped, without name and time in the header: equal content, equal file."""
    path.write_bytes(gzip.compress(content, compresslevel=6, mtime=0))


def either(folder: Path, name: str) -> Path:
    """`NAME.gz` or `NAME` in a folder, the gzipped one first.

    Raises:
        SourceUnavailable: neither is there.
    """
    found = [path for path in (folder / f"{name}.gz", folder / name) if path.is_file()]
    if not found:
        raise SourceUnavailable(f"{folder}: there is neither {name}.gz nor {name}")
    return found[0]
