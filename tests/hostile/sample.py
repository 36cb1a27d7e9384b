"""A hostile input: a small tree of files, held in memory until it is written for one command."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """What a command is given.

    Attributes:
        path: of the file or folder that the command line names, below the folder of inputs.
        files: bytes by path, all below the folder of inputs.
        links: symbolic links: where they lead, by path.
        pipes: named pipes that nobody writes into: reading one never ends.
        holes: files of nothing but a size, which take no room on the disk.
    """

    path: str
    files: dict[str, bytes]
    links: dict[str, str] = field(default_factory=dict)
    pipes: tuple[str, ...] = ()
    holes: dict[str, int] = field(default_factory=dict)

    def write(self, root: Path) -> Path:
        """All of it below ``root``, which is empty; the path that a command is given."""
        for name, content in self.files.items():
            place = _place(root, name)
            place.write_bytes(content)
        for name, size in self.holes.items():
            with _place(root, name).open("wb") as stream:
                stream.truncate(size)
        for name, target in self.links.items():
            _place(root, name).symlink_to(target)
        for name in self.pipes:
            os.mkfifo(_place(root, name))
        return root / self.path

    def with_file(self, name: str, content: bytes) -> Sample:
        return dataclasses.replace(self, files={**self.files, name: content})

    def without(self, name: str) -> Sample:
        files = {key: value for key, value in self.files.items() if key != name}
        return dataclasses.replace(self, files=files)

    def renamed(self, name: str) -> Sample:
        """The same under another name for what the command is given."""

        def moved(key: str) -> str:
            inside = key.startswith(f"{self.path}/")
            return name + key[len(self.path) :] if inside or key == self.path else key

        return dataclasses.replace(
            self, path=name, files={moved(key): value for key, value in self.files.items()}
        )

    @property
    def below(self) -> list[str]:
        """Names of the files that belong to what the command is given."""
        names = sorted(self.files)
        return [n for n in names if n == self.path or n.startswith(f"{self.path}/")]


def _place(root: Path, name: str) -> Path:
    place = root / name
    place.parent.mkdir(parents=True, exist_ok=True)
    return place
