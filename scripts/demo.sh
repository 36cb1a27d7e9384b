#!/bin/sh
# The main job, end to end, on the shipped style and a real photograph.
set -eu
out=demo
rm -rf "$out"
say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

say sttk export ink --dynamic -o "$out/artifacts"
say sttk export ink --target all --precision fp16 --size 256 -o "$out/artifacts"
say sttk parity "$out/artifacts" --html "$out/parity.html"
say sttk stylize toolkit/photos/pagoda.jpg -o "$out/pagoda-ink.png" \
    --artifact "$out/artifacts/ink/onnx-fp32-dynamic"

cat <<END

Look at:
  $out/pagoda-ink.png                       the stylised photograph
  $out/parity.html                          how far each model is off, with pictures
  $out/artifacts/ink/onnx-fp32-dynamic/     the ONNX model with its manifest.json
  $out/artifacts/ink/                       the same in float16 for every target that can be
                                            made here, each with its README.md
Next:
  . .venv/bin/activate
  sttk stylize YOUR_PHOTO.jpg -o OUT.png
  sttk export YOUR_CHECKPOINT.pth --size 512 && sttk parity
END
