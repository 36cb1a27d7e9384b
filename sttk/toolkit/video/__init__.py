"""Moving pictures: files in and out with their sound, a camera, and styles that hold still in them.

    file -> reader -> items: frames and packets of sound, in the file's order
    items -> style (frames only) -> steady -> writer -> file

Each arrow is a queue with a thread behind it (``io/prefetch.py``), so that the net waits for
neither the decoder nor the encoder.
"""
