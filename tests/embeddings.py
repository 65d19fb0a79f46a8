#!/usr/bin/python3
"""Write a stream of synthetic embeddings, for tests and timings of ssl-probe.

Classes are Gaussian clusters around random centres, mixed linearly so that features are correlated.
    embeddings.py train=600 test=200 [val=0 none=0 unlabeled=0] [dim=16 classes=4 spread=1.0 seed=0]
        [names=b,a,...] [numbers=0 (labels by number, without class names)] [break=nan|inf|dim|epoch|class]
"""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "python"))
import numpy as np
from ssl_stream import Writer

o = dict(train=0, val=0, test=0, none=0, unlabeled=0, dim=16, classes=4, spread=1.0, seed=0, numbers=0, names="")
o["break"] = ""
for a in sys.argv[1:]:
    k, v = a.split("=", 1)
    o[k] = type(o[k])(v)
names = o["names"].split(",") if o["names"] else [f"class{c}" for c in range(o["classes"])]
dim = o["dim"]
world = np.random.default_rng(1)  # the same clusters for every seed
centres = {c: world.standard_normal(dim) for c in sorted(names)}
mix = world.standard_normal((dim, dim)) * np.linspace(1, 0.1, dim)[:, None] + 0.1
r = np.random.default_rng(o["seed"] + 2)

splits = [(s, i) for s in ("train", "val", "test", "none", "unlabeled") for i in range(o[s])]
w = Writer(sys.stdout.buffer, {
    "kind": "embeddings", "fields": {"embedding": ["<f4", [dim]]}, "classes": sorted(names), "distinct": len(splits),
    "count": len(splits), "seed": 0, "objective": None, "input_transform": None, "history": []})
for n, (split, i) in enumerate(splits):
    name = names[i % len(names)]
    x = ((centres[name] + o["spread"] * r.standard_normal(dim)) @ mix).astype("<f4")
    s = {"key": f"{split}/{name}/{i}", "index": n}
    if o["break"] and n == len(splits) // 2:
        if o["break"] in ("nan", "inf"):
            x[dim // 2] = float(o["break"])
        elif o["break"] == "dim":
            x = x[:-1]
        elif o["break"] == "epoch":
            s["epoch"] = 1
        elif o["break"] == "class":
            name = None
    if split != "none":
        s["split"] = split
    if o["numbers"]:
        s["label"] = sorted(names).index(name)
    elif name and split != "unlabeled":
        s["class"] = name
    w.put({**s, "embedding": x})
w.finish()
