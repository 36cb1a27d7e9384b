"""Video: reading and writing files with their sound, live cameras, and flicker reduction.

    file -> reader -> items: frames and packets of sound, in the file's order
    items -> style (frames only) -> steady -> writer -> file

Each arrow is a queue that a thread fills (``io/prefetch.py``), so that the net waits neither for
the decoder nor for the encoder.
"""
