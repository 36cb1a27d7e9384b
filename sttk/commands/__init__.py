"""The commands of ``sttk``, one small file each."""
