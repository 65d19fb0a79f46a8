#!/usr/bin/python3
"""A pretext task in a few lines: is this image mirrored?  images -> examples

    ssl-load photos --size 32 | examples/python/mirror.py | ssl-train --encoder convnet -o mirror.model
"""
import numpy as np
import ssl_stream


def change_header(h):
    if h["kind"] != "images":
        raise ssl_stream.StreamError(f"this is a stream of {h['kind']}; expected images")
    h["kind"] = "examples"
    dtype, shape = h["fields"].pop("image")
    h["fields"] |= {"input": [dtype, [2, *shape]], "target": ["<i4", [2]]}
    h["objective"] = {"name": "classify", "task": "mirror", "classes": 2, "parameters": {}}
    h["input_transform"] = {"space": "gray" if shape[2] == 1 else "rgb", "normalize": "gray" if shape[2] == 1 else "imagenet"}
    ssl_stream.add_history(h, "mirror.py", "1", {})


def change_sample(s):
    image = s.pop("image")
    return s | {"input": np.stack([image, image[:, ::-1]]), "target": np.array([0, 1], np.int32)}


ssl_stream.run("mirror.py", change_header, change_sample)
