#!/usr/bin/python3
"""Embeddings in NumPy, from `ssl-convert -o photos.npz`:  embeddings.py photos.npz

Prints each class, how many samples it has, and the one that is nearest to their mean.
"""
import sys

import numpy

if len(sys.argv) != 2:
    print("usage: embeddings.py photos.npz", file=sys.stderr)
    sys.exit(2)
z = numpy.load(sys.argv[1])
X, key, name = z["embedding"], z["key"], z["class"]

X = X / numpy.linalg.norm(X, axis=1, keepdims=True)
for c in sorted(set(name)):
    rows = numpy.flatnonzero(name == c)
    best = rows[numpy.argmax(X[rows] @ X[rows].mean(axis=0))]
    print(f"{c}\t{len(rows)}\t{key[best]}")
