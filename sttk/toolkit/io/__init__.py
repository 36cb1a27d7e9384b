"""Reading and writing of files, streams and terminals."""
