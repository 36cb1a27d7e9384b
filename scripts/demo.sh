#!/bin/sh
# The main job, end to end, on a shipped style and a real photograph; its mobile net to every
# target, each in its own default precision, which holds in the arithmetic of every CPU.
set -eu
out=demo
rm -rf "$out"
say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

say sttk export ink --dynamic -o "$out/artifacts"
# A target whose library is not there (exit code 3) says so in a line; the others are made.
say sttk export ink-mobile-m --target all --size 128 -o "$out/artifacts" || [ $? -eq 3 ]
say sttk parity "$out/artifacts" --summary --html "$out/parity.html"
say sttk stylize toolkit/photos/pagoda.jpg -o "$out/pagoda-ink.png" \
    --artifact "$out/artifacts/ink/onnx-fp32-dynamic"

cat <<END

Look at:
  $out/pagoda-ink.png             the stylised photograph
  $out/parity.html                how far each model is off, with pictures
  $out/artifacts/ink/             the ONNX model with its manifest.json and README.md
  $out/artifacts/ink-mobile-m/    a small net of the same style for every target
Next:
  . .venv/bin/activate
  sttk stylize YOUR_PHOTO.jpg -o OUT.png
  sttk export YOUR_CHECKPOINT.pth --size 512 && sttk parity
END
