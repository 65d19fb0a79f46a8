"""200 training steps in single precision against PyTorch's, over three seeds.

ResNet-10 of width 16 on CIFAR-10's classes, 32 px, batches of 64. For each seed
ssl-train and PyTorch start from the same weights and see the same examples.
Rounding soon takes two such runs apart, so what is compared is the loss
averaged over 20 steps: ours may differ from PyTorch's, seed by seed, by less
than PyTorch's own runs differ among seeds. The first losses, before that, are
equal.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision

SRC = os.environ["SRC"]
sys.path.insert(0, os.path.join(SRC, "examples", "python"))
from ssl_stream import Reader

CIFAR = os.environ.get("CIFAR10", f"{SRC}/../shared/data/cifar10-train.tar").split()[0]
STEPS, BATCH, WINDOW, SEEDS, RATE, WARMUP = 200, 64, 20, (1, 2, 3), 0.05, 10
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
torch.set_num_threads(1)  # with two, libgomp may put both on one processor


def shell(command):
    subprocess.run(command, shell=True, check=True)


def resnet10(width):
    """torchvision's blocks and names, with a stem for small images."""
    model = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1])
    model.conv1, model.bn1, model.maxpool = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.Identity()
    inside = width
    for s in range(4):
        out = width << s
        down = nn.Sequential(nn.Conv2d(inside, out, 1, 2, bias=False), nn.BatchNorm2d(out)) if s else None
        setattr(model, f"layer{s + 1}", nn.Sequential(torchvision.models.resnet.BasicBlock(inside, out, 2 if s else 1, down)))
        inside = out
    model.fc = nn.Linear(inside, 10)
    return model


def cosine(t):
    return (t + 1) / WARMUP if t < WARMUP else (1 + np.cos(np.pi * (t - WARMUP) / (STEPS - WARMUP))) / 2


def theirs(start, x, y):
    model = resnet10(16)
    missing = model.load_state_dict({k.replace("head.", "fc.").replace("encoder.", ""): torch.tensor(v) for k, v in start.items()},
                                    strict=False)
    assert all("num_batches_tracked" in k for k in missing.missing_keys) and not missing.unexpected_keys, missing
    decay = [p for p in model.parameters() if p.ndim > 1], [p for p in model.parameters() if p.ndim <= 1]
    opt = torch.optim.SGD([{"params": decay[0], "weight_decay": 5e-4}, {"params": decay[1]}], lr=RATE, momentum=0.9, nesterov=True)
    losses = []
    for t in range(STEPS):
        rows = slice(t * BATCH, (t + 1) * BATCH)
        loss = F.cross_entropy(model(x[rows]), y[rows])
        for g in opt.param_groups:
            g["lr"] = RATE * cosine(t)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return losses


def main():
    if not os.path.exists(CIFAR):
        print(f"skip curve: {CIFAR} is not there")
        return False
    ours, torchs = [], []
    with tempfile.TemporaryDirectory() as d:
        shell(f"ssl-load -q {CIFAR} --split train --limit {STEPS * BATCH} --shuffle --seed 1 | ssl-pretext -q labels >{d}/examples")
        samples = list(Reader(open(f"{d}/examples", "rb")))
        x = torch.tensor(np.concatenate([s["input"] for s in samples]).transpose(0, 3, 1, 2).astype("f4") / 255)
        x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        y = torch.tensor(np.concatenate([s["target"] for s in samples]).astype("i8"))
        common = f"--encoder resnet10 --width 16 --batch {BATCH} --lr {RATE} --warmup {WARMUP} <{d}/examples"
        for seed in SEEDS:
            shell(f"ssl-train -q --seed {seed} --steps 0 --no-bn-estimate -o {d}/start {common}")
            shell(f"ssl-train -q --seed {seed} --log {d}/log --log-every 1 -o {d}/model {common}")
            ours.append([json.loads(line)["loss"] for line in open(f"{d}/log")])
            torchs.append(theirs({s["key"]: s[s["key"]] for s in Reader(open(f"{d}/start", "rb"))}, x, y))
    ours, torchs = np.array(ours), np.array(torchs)
    first = np.abs(ours - torchs)[:, :3].max()
    ours, torchs = (v.reshape(len(SEEDS), -1, WINDOW).mean(2) for v in (ours, torchs))
    # Three runs say little about one window: the spread is the mean of all windows'.
    spread, apart = (torchs.max(0) - torchs.min(0)).mean(), np.abs(ours - torchs).mean(0)
    print("curve: steps     ours" + " " * 15 + "PyTorch" + " " * 12 + "apart")
    for i, d in enumerate(apart):
        print(f"curve: {WINDOW * i + 1:3}-{WINDOW * (i + 1):3}  " + " ".join(f"{v:.3f}" for v in ours[:, i]) + "  "
              + " ".join(f"{v:.3f}" for v in torchs[:, i]) + f"  {d:.4f}{'' if d <= spread else '  FAIL'}")
    print(f"curve: PyTorch's spread {spread:.4f}, ours apart by {apart.max():.4f} at most; the first three losses by {first:.1e}"
          f"{'' if first < 1e-3 else '  FAIL'}")
    return bool((apart > spread).any() or first >= 1e-3 or ours[:, -1].mean() > 0.9 * ours[:, 0].mean())


sys.exit(main())
