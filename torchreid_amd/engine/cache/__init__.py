"""The frozen part of a training computed once: a fixed number of views of each photograph, in one file."""
