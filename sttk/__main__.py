"""``python -m sttk`` runs ``sttk``, for launchers that take a module, such as torchrun."""

from sttk.cli import main

if __name__ == "__main__":
    main()
