"""The Android sample's one file without Android in it, compiled and run on a JVM."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.samples import fetched

PIXELS = Path(__file__).parents[2] / "samples/android/app/src/main/kotlin/sttk/sample/Pixels.kt"
# Reads big-endian pixels; writes the planes, and the upper left 3 x 2 of the planes as 4 x 3.
MAIN = """
import java.io.DataOutputStream
import java.nio.ByteBuffer
import sttk.sample.Pixels

fun main() {
    val bytes = ByteBuffer.wrap(System.`in`.readBytes()).asIntBuffer()
    val pixels = IntArray(bytes.remaining()).also { bytes.get(it) }
    val planes = Pixels.toPlanes(pixels)
    val out = DataOutputStream(System.out)
    for (i in 0 until planes.limit()) out.writeFloat(planes.get(i))
    for (i in 0 until planes.limit()) planes.put(i, planes.get(i) + 0.4f)
    for (pixel in Pixels.fromPlanes(planes, 4, 3, 3, 2)) out.writeInt(pixel)
    out.flush()
}
"""


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_pixels_become_planes_and_planes_pixels(tmp_path):
    (tmp_path / "Main.kt").write_text(MAIN)
    command = [fetched.kotlinc(), "-Werror", PIXELS, "Main.kt", "-include-runtime", "-d", "app.jar"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rgb = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    rgb[0, 0], rgb[0, 1] = 0, 255
    opaque = np.concatenate([np.full((3, 4, 1), 255, np.uint8), rgb], axis=2)
    ran = subprocess.run(
        ["java", "-cp", "app.jar", "MainKt"],
        cwd=tmp_path, input=opaque.tobytes(), capture_output=True, check=True,
    )  # fmt: skip
    planes = np.frombuffer(ran.stdout[: 4 * rgb.size], ">f4").reshape(3, 3, 4)
    assert (planes == rgb.transpose(2, 0, 1)).all()
    back = np.frombuffer(ran.stdout[4 * rgb.size :], np.uint8).reshape(2, 3, 4)
    assert (back == opaque[:2, :3]).all()
