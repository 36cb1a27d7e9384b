"""``python -m toolkit`` is ``sttk``: for launchers that take a module, such as torchrun."""

from toolkit.cli import main

if __name__ == "__main__":
    main()
