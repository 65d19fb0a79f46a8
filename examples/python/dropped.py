#!/usr/bin/python3
"""A pretext task of one's own: which colour channel was dropped?  images -> examples

    ssl-load photos --size 32 | examples/python/dropped.py | ssl-train --encoder convnet -o dropped.model

All three are asked of each image at once, so that a batch is balanced. What is dropped is replaced by
the mean of the other two: a black channel would give itself away.
"""
import numpy as np
import ssl_stream

NAMES = "red", "green", "blue"


def change_header(h):
    if h["kind"] != "images" or h["fields"]["image"][1][2] != 3:
        raise ssl_stream.StreamError("expected a stream of images in colour")
    dtype, shape = h["fields"].pop("image")
    h["kind"] = "examples"
    h["fields"] |= {"input": [dtype, [3, *shape]], "target": ["<i4", [3]]}
    h["objective"] = {"name": "classify", "task": "dropped", "classes": 3, "names": list(NAMES), "parameters": {}}
    h["input_transform"] = {"space": "rgb", "normalize": "imagenet"}
    ssl_stream.add_history(h, "dropped.py", "1", {})


def change_sample(s):
    image = s.pop("image")
    inputs = np.stack([image] * 3)
    for c in range(3):
        inputs[c, ..., c] = np.delete(image, c, -1).mean(-1, dtype=np.float32).round()
    return s | {"input": inputs, "target": np.arange(3, dtype=np.int32)}


if __name__ == "__main__":
    ssl_stream.run("dropped.py", change_header, change_sample)
