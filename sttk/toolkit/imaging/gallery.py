"""Batch stylisation: maps input files to output files and carries on past broken ones."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sttk.toolkit.core.errors import ImageError, SttkError, UsageError
from sttk.toolkit.imaging.images import SUFFIXES, Picture, list_images, read_image, write_image
from sttk.toolkit.io.prefetch import prefetch

# Formats that are replaced by another in the output: a GIF has only 256 colours.
_WRITTEN_AS = {".gif": ".png"}


@dataclass(frozen=True)
class Job:
    """An input picture and the path of its stylised output."""

    source: Path
    target: Path


@dataclass
class Report:
    """The outcome of a run.

    Attributes:
        done: targets that were written.
        kept: targets that already existed.
        failed: error messages, one line per failed source.
    """

    done: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


Stylize = Callable[[Sequence[Picture]], Iterable[Picture]]


def plan(sources: Sequence[str], folder: Path) -> list[Job]:
    """Return a job for each picture.

    Args:
        sources: files, patterns such as ``photos/*.jpg``, and folders, which are searched
            recursively and whose structure is kept in the output.
        folder: the output folder; files already in it are not used as sources.

    Raises:
        UsageError: two pictures would be written to the same file.
        ImageError: the sources contain no pictures.
    """
    jobs: dict[Path, Job] = {}
    for source, place in _placed(sources):
        if source.resolve().is_relative_to(folder.resolve()):
            continue
        target = folder / place.with_suffix(_WRITTEN_AS.get(place.suffix.lower(), place.suffix))
        before = jobs.setdefault(target, Job(source, target))
        if before.source != source:
            raise UsageError(f"{before.source} and {source} would both be {target}")
    if not jobs:
        raise ImageError(f"{', '.join(sources)}: no pictures")
    return list(jobs.values())


def _placed(sources: Sequence[str]) -> Iterator[tuple[Path, Path]]:
    """Yield each picture and its path relative to the output folder."""
    for source in sources:
        path = Path(source)
        if path.is_dir():
            yield from ((file, file.relative_to(path)) for file in list_images(path))
        elif path.exists() or not (found := _matches(source)):
            yield path, Path(path.name)  # a missing file is reported with the broken ones
        else:
            files = (Path(name) for name in found)
            yield from ((f, Path(f.name)) for f in files if f.suffix.lower() in SUFFIXES)


def _matches(pattern: str) -> list[str]:
    """Expand a pattern as a shell would, for Windows and for patterns that were quoted."""
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  # Path.glob takes no root


def run(
    jobs: Sequence[Job],
    stylize: Stylize,
    *,
    batch: int = 1,
    force: bool = False,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Report:
    """Run the jobs; pictures that cannot be read or written are skipped and reported.

    Args:
        jobs: the jobs from :func:`plan`.
        stylize: a function from a batch of pictures of one size to as many stylised ones.
        batch: the largest number of pictures in a batch.
        force: overwrite existing targets; by default they are kept, so that a run that was killed
            can be continued.
        on_progress: progress callback, called with the number of jobs finished so far.

    Raises:
        OSError: the disk is full or fails, so that the remaining jobs would fail, too.
    """
    report = Report()
    todo = []
    for job in jobs:
        (report.kept.append(job.target) if job.target.exists() and not force else todo.append(job))
    with prefetch(_read(todo)) as read:
        for group in _groups(read, report, batch):
            _do(group, stylize, report)
            on_progress(len(report.kept) + len(report.done) + len(report.failed))
    return report


_Read = tuple[Job, "Picture | SttkError"]


def _read(jobs: Iterable[Job]) -> Iterator[_Read]:
    for job in jobs:
        try:
            yield job, read_image(job.source)
        except SttkError as error:
            yield job, error


def _groups(
    read: Iterable[_Read], report: Report, most: int
) -> Iterator[list[tuple[Job, Picture]]]:
    """Group successive pictures of the same size into batches."""
    group: list[tuple[Job, Picture]] = []
    for job, picture in read:
        if not isinstance(picture, Picture):
            report.failed.append(str(picture))
            continue
        if group and (len(group) == most or group[0][1].rgb.shape != picture.rgb.shape):
            yield group
            group = []
        group.append((job, picture))
    if group:
        yield group


def _do(group: list[tuple[Job, Picture]], stylize: Stylize, report: Report) -> None:
    try:
        styled = list(stylize([picture for _, picture in group]))
    except SttkError as error:
        report.failed += [f"{job.source}: {error}" for job, _ in group]
        return
    for (job, _), picture in zip(group, styled, strict=True):
        try:
            write_image(job.target, picture)
        except ImageError as error:  # for example, an alpha channel in a JPEG
            report.failed.append(str(error))
        else:
            report.done.append(job.target)
