"""ssl-train and ssl-embed against PyTorch in double precision, from the same weights on the same examples.

Optimisers: a linear classifier (encoder `identity`) on given vectors, with rows left out, weights and label
smoothing, over a warm-up and a schedule. A whole network: the loss curve of a ResNet on rotated images, and
the embeddings of the result. Largest difference relative to the largest magnitude; the limit is 1e-4.
"""
import json, os, subprocess, sys, tempfile
import numpy as np
import torch, torch.nn as nn, torch.nn.functional as F

sys.path.insert(0, os.path.join(os.environ["SRC"], "examples", "python"))
from ssl_stream import Reader, Writer

FASHION = os.environ.get("FASHION", "/usr/share/datasets/fashion-mnist")
torch.set_num_threads(2)
torch.set_default_dtype(torch.float64)
failures = 0


def report(what, got, want):
    global failures
    got, want = (np.concatenate([np.asarray(x, "f8").ravel() for x in v]) for v in (got, want))
    worst = np.abs(got - want).max() / np.abs(want).max()
    failures += not worst < 1e-4
    print(f"train: {what:44} {worst:.1e}{'' if worst < 1e-4 else '  FAIL'}")


def train(examples, *options):
    """The model's tensors, and the losses step by step."""
    with tempfile.TemporaryDirectory() as d:
        command = ["ssl-train", "-q", "-o", f"{d}/m", "--log", f"{d}/log", "--log-every", "1", *options]
        subprocess.run(command, stdin=open(examples, "rb"), check=True)
        losses = [json.loads(line)["loss"] for line in open(f"{d}/log")]
        return {s["key"]: torch.tensor(s[s["key"]], dtype=torch.float64) for s in Reader(open(f"{d}/m", "rb"))}, losses


# ---- Optimisers -------------------------------------------------------------------------------------

N, P, D, K, BATCH, STEPS, WARMUP = 240, 2, 12, 5, 8, 30, 4


def write_vectors(path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, P, D)).astype("<f4")
    t = rng.integers(-1, K, (N, P)).astype("<i4")
    w = rng.uniform(0, 2, (N, P)).astype("<f4")
    with open(path, "wb") as f:
        out = Writer(f, {"kind": "examples", "count": N, "seed": 3, "history": [],
                         "fields": {"input": ["<f4", [P, D]], "target": ["<i4", [P]], "weight": ["<f4", [P]]},
                         "objective": {"name": "classify", "task": "given", "classes": K}})
        for i in range(N):
            out.put({"key": str(i), "input": x[i], "target": t[i], "weight": w[i]})
        out.finish()
    return [torch.tensor(v) for v in (x.astype("f8"), t.astype("i8"), w.astype("f8"))]


class Lars(torch.optim.Optimizer):
    """You, Gitman and Ginsburg 2017; biases as plain SGD."""

    def __init__(self, params, lr, momentum, weight_decay, trust):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, trust=trust))

    def step(self):
        for g in self.param_groups:
            for p in g["params"]:
                d = p.grad
                if p.ndim > 1:
                    ratio = g["trust"] * p.norm() / (d.norm() + g["weight_decay"] * p.norm())
                    d = ratio * (d + g["weight_decay"] * p.detach())
                v = self.state[p]["v"] = g["momentum"] * self.state[p].get("v", 0) + d
                p.data -= g["lr"] * v


def groups(model, decay):
    """Weights decay; biases and norms do not."""
    return [{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": decay},
            {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0}]


def cosine(t, steps, warmup):
    return (t + 1) / warmup if t < warmup else (1 + np.cos(np.pi * (t - warmup) / (steps - warmup))) / 2


def marks(t, steps, warmup):
    return (t + 1) / warmup if t < warmup else 0.1 ** sum(t >= m * steps for m in (0.4, 0.7))


def optimizers(folder):
    path = f"{folder}/vectors"
    x, target, weight = write_vectors(path)
    common = ["--encoder", "identity", "--batch", str(BATCH), "--warmup", str(WARMUP), "--set", "label_smoothing=0.1"]
    start, _ = train(path, *common, "--steps", "0")
    for name, options, make, schedule in (
        ("sgd, Nesterov", ["sgd:lr=0.1,weight_decay=0.01"],
         lambda m: torch.optim.SGD(groups(m, 0.01), lr=0.1, momentum=0.9, nesterov=True), cosine),
        ("sgd, momentum 0.8, steps", ["sgd:lr=0.1,nesterov=0,momentum=0.8,weight_decay=0.01", "--schedule", "step:factor=0.1,at=0.4/0.7"],
         lambda m: torch.optim.SGD(groups(m, 0.01), lr=0.1, momentum=0.8), marks),
        ("adamw", ["adamw:lr=0.01,weight_decay=0.1"], lambda m: torch.optim.AdamW(groups(m, 0.1), lr=0.01), cosine),
        ("lars", ["lars:lr=0.5,weight_decay=0.01,trust=0.02"], lambda m: Lars(m.parameters(), 0.5, 0.9, 0.01, 0.02), cosine),
    ):
        got, losses = train(path, *common, "--optimizer", *options)
        model = nn.Linear(D, K)
        model.load_state_dict({k: start["head." + k] for k in ("weight", "bias")})
        opt = make(model)
        rates, want = [g["lr"] for g in opt.param_groups], []
        for t in range(STEPS):
            rows = slice(t * BATCH, (t + 1) * BATCH)
            a, y, w = model(x[rows].reshape(-1, D)), target[rows].reshape(-1), weight[rows].reshape(-1)
            w = torch.where(y < 0, 0.0, w)
            loss = (F.cross_entropy(a, y.clamp(min=0), reduction="none", label_smoothing=0.1) * w).sum() / w.sum()
            for g, r in zip(opt.param_groups, rates):
                g["lr"] = r * schedule(t, STEPS, WARMUP)
            opt.zero_grad()
            loss.backward()
            opt.step()
            want.append(loss.item())
        report(f"{name}: {STEPS} losses", [losses], [want])
        report(f"{name}: weights", [got["head.weight"], got["head.bias"]], [model.weight.detach(), model.bias.detach()])


# ---- A whole network ---------------------------------------------------------------------------------


# A small rate: at 0.02 a ReLU whose sign rounding decides moves the loss of the 14th step by 1e-3, for PyTorch's
# own float32 against its float64 as for ours.
RATE = 0.002


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.downsample = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)) if stride > 1 else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet10(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, w, 3, 1, 1, bias=False), nn.BatchNorm2d(w)
        for s in range(4):
            self.add_module(f"layer{s + 1}", nn.Sequential(Block(w << max(s - 1, 0), w << s, 2 if s else 1)))

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))


def network(folder, steps=20):
    images, examples = f"{folder}/images", f"{folder}/examples"
    load = f"ssl-load -q {FASHION} --gray --split train --limit {16 * steps} --shuffle"
    subprocess.run(f"{load} >{images} && ssl-pretext -q rotate <{images} >{examples}", shell=True, check=True)
    common = ["--encoder", "resnet10", "--width", "8", "--batch", "16", "--lr", str(RATE), "--warmup", "5"]
    start, _ = train(examples, *common, "--steps", "0", "--no-bn-estimate")
    got, losses = train(examples, *common)

    encoder, head = ResNet10(8), nn.Linear(64, 4)
    encoder.load_state_dict({k[8:]: v for k, v in start.items() if k.startswith("encoder.")}, strict=False)
    head.load_state_dict({k[5:]: v for k, v in start.items() if k.startswith("head.")})
    model = nn.Sequential(encoder, head)
    opt = torch.optim.SGD(groups(model, 5e-4), lr=RATE, momentum=0.9, nesterov=True)
    samples, want = list(Reader(open(examples, "rb"))), []
    for t in range(steps):
        batch = samples[16 * t:16 * (t + 1)]
        x = torch.tensor(np.concatenate([s["input"] for s in batch]).transpose(0, 3, 1, 2) / 255.0)
        y = torch.tensor(np.concatenate([s["target"] for s in batch]).astype("i8"))
        loss = F.cross_entropy(model((x - 0.449) / 0.226), y)
        for g in opt.param_groups:
            g["lr"] = RATE * cosine(t, steps, 5)
        opt.zero_grad()
        loss.backward()
        opt.step()
        want.append(loss.item())
    report(f"resnet10: {steps} losses", [losses], [want])

    # Our weights in both, so that only the inference is compared.
    encoder.load_state_dict({k[8:]: v for k, v in got.items() if k.startswith("encoder.")}, strict=False)
    model.eval()
    x = torch.tensor(np.stack([s["image"] for s in Reader(open(images, "rb"))]).transpose(0, 3, 1, 2) / 255.0)
    subprocess.run(f"ssl-train -q {' '.join(common)} -o {folder}/m <{examples} && "
                   f"ssl-embed -q -m {folder}/m <{images} >{folder}/e", shell=True, check=True)
    with torch.no_grad():
        report("resnet10: embeddings", [s["embedding"] for s in Reader(open(f"{folder}/e", "rb"))],
               [encoder((x - 0.449) / 0.226)])


with tempfile.TemporaryDirectory() as scratch:
    optimizers(scratch)
    if os.path.isdir(FASHION):
        network(scratch)
    else:
        print(f"skip train: {FASHION} is not there")
sys.exit(failures > 0)
