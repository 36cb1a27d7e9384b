from __future__ import annotations

from pathlib import Path

import pytest

from tests.video.clips import write


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of 64x48 in one second, with a tone."""
    return write(tmp_path_factory.mktemp("clips") / "clip.mp4")
