#!/bin/sh
# The main job, end to end, on a shipped style and a real photograph: a small net, for it takes a
# tenth of the time, in precisions that hold in the arithmetic of every CPU: each target's own.
set -eu
out=demo
net=ink-mobile-m
rm -rf "$out"
export OMP_WAIT_POLICY=PASSIVE # threads that wait do not spin: other programs have the cores, too
say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

say sttk export $net --dynamic -o "$out/artifacts"
# A target whose library is not there (exit code 3) says so in a line; the others are made.
say sttk export $net --target all --size 128 -o "$out/artifacts" || [ $? -eq 3 ]
say sttk parity "$out/artifacts" --summary --html "$out/parity.html"
say sttk stylize sttk/toolkit/photos/pagoda.jpg -o "$out/pagoda-ink.png" \
    --artifact "$out/artifacts/$net/onnx-fp32-dynamic"

cat <<END

Look at:
  $out/pagoda-ink.png      the stylised photograph
  $out/parity.html         how far each model is off, with pictures
  $out/artifacts/$net/
                           a model for every target, each with its manifest.json and README.md
Next:
  . .venv/bin/activate
  sttk stylize YOUR_PHOTO.jpg -o OUT.png
  sttk export YOUR_CHECKPOINT.pth --size 512 && sttk parity
END
