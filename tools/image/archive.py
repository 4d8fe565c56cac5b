"""What was built, as the archive says it: its digest, its layers and their sizes, its configuration, its files."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

MB: Final = 1_000_000
WHITEOUT: Final = ".wh."
"""How the name of a file begins by which a layer removes another from those below."""


@dataclass(frozen=True)
class Layer:
    digest: str
    compressed: int
    """Bytes, as a registry keeps and sends it."""
    size: int
    """Bytes, of its files."""
    made_by: str
    """The instruction of the Dockerfile."""


@dataclass(frozen=True)
class Archive:
    """An image in a tar file in the layout that the Open Container Initiative describes."""

    path: Path
    digest: str
    """Of the manifest: what a registry would call the image."""
    config: dict[str, Any]
    layers: tuple[Layer, ...]

    @property
    def size(self) -> int:
        return sum(layer.size for layer in self.layers)

    @property
    def compressed(self) -> int:
        return sum(layer.compressed for layer in self.layers)

    def report(self) -> str:
        """A table for people, in units of a million bytes."""
        rows = [(layer.size, layer.compressed, layer.made_by) for layer in self.layers]
        rows.append((self.size, self.compressed, f"{len(self.layers)} layers, {self.digest}"))
        lines = [f"{size / MB:8.1f} {compressed / MB:12.1f}   {text}" for size, compressed, text in rows]
        return "\n".join([f"{'size MB':>8} {'compressed MB':>12}  layer", *lines])

    def unpack(self, folder: Path) -> None:
        """The files as a container would see them, with their owners where root unpacks."""
        with tarfile.open(self.path) as outer:
            for layer in self.layers:
                with _files(outer, layer.digest) as files:
                    # Python before 3.11.4 knows no filters, and trusts every archive.
                    files.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)
                    files.extractall(folder)  # noqa: S202 - we built it

    def entries(self) -> list[tarfile.TarInfo]:
        """Those of all layers, in their order."""
        with tarfile.open(self.path) as outer:
            found = []
            for layer in self.layers:
                with _files(outer, layer.digest) as files:
                    found += list(files)
            return found


def read(path: Path) -> Archive:
    """The one image of an archive."""
    with tarfile.open(path) as outer:
        (entry,) = json.loads(_read(outer, "index.json"))["manifests"]
        manifest = json.loads(_blob(outer, entry["digest"]))
        config = json.loads(_blob(outer, manifest["config"]["digest"]))
        makers = [_maker(step) for step in config["history"] if not step.get("empty_layer")]
        layers = [
            Layer(layer["digest"], layer["size"], _size(outer, layer["digest"]), maker)
            for layer, maker in zip(manifest["layers"], makers, strict=True)
        ]
    return Archive(path, entry["digest"], config, tuple(layers))


def _maker(step: dict[str, Any]) -> str:
    """Without what Docker's first builders put before an instruction, and Buildah still does."""
    return str(step.get("created_by", "")).removeprefix("/bin/sh -c #(nop) ").strip()


def _size(outer: tarfile.TarFile, digest: str) -> int:
    with _files(outer, digest) as files:
        return sum(file.size for file in files)


@contextmanager
def _files(outer: tarfile.TarFile, digest: str) -> Iterator[tarfile.TarFile]:
    with gzip.open(_open(outer, _place(digest))) as stream, tarfile.open(fileobj=stream, mode="r|") as files:
        yield files


def _blob(outer: tarfile.TarFile, digest: str) -> bytes:
    return _read(outer, _place(digest))


def _place(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _read(outer: tarfile.TarFile, name: str) -> bytes:
    with _open(outer, name) as file:
        return file.read()


def _open(outer: tarfile.TarFile, name: str) -> IO[bytes]:
    file = outer.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file
