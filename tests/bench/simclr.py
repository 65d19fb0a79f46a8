"""SimCLR in PyTorch, as pipelines/simclr-cifar10 trains it: the same encoder, views, loss and optimiser.

    simclr.py                                      how fast both are, over a few steps
    simclr.py OUT --seconds N [--seed S]           train for N seconds of wall-clock time
    simclr.py OUT --epochs N [--seed S]            or for as many images as ssl-train would

writes the embeddings of all images to OUT, for ssl-probe, and what training took to OUT.log, as ssl-train logs it;
training only is timed. Augmentation is whole batches of tensor operations. From the environment: CIFAR10, the two
tars; THREADS (default: the processors). simclr.sh sets it beside ssl-train.
"""
import io, json, math, os, subprocess, sys, tarfile, time
import numpy as np
import torch, torch.nn as nn, torch.nn.functional as F

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SRC, "examples", "python"))
from ssl_stream import Writer

DATA = f"{SRC}/../shared/data"
TARS = os.environ.get("CIFAR10", f"{DATA}/cifar10-train.tar {DATA}/cifar10-test.tar").split()
WIDTH, BATCH, LR, MOMENTUM, DECAY, TEMPERATURE, PROJECTOR = 16, 256, 0.4, 0.9, 5e-4, 0.2, (512, 128)
AUGMENT = "crop:32,scale=0.2-1 flip jitter:0.4,0.4,0.4,0.1,p=0.8 gray:p=0.2"
torch.set_num_threads(int(os.environ.get("THREADS", len(os.sched_getaffinity(0)))))


def images():
    """Keys, splits, classes and pixels (N, 3, 32, 32), uint8."""
    from PIL import Image
    names, pixels = [], []
    for path in TARS:
        with tarfile.open(path) as t:
            for m in t:
                if m.isfile():
                    names.append(os.path.splitext(m.name)[0].lstrip("./"))
                    pixels.append(np.asarray(Image.open(io.BytesIO(t.extractfile(m).read())).convert("RGB")))
    parts = [n.split("/") for n in names]
    return names, [p[-3] for p in parts], [p[-2] for p in parts], torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()


# ---- Views ---------------------------------------------------------------------------------------------


def crop_and_flip(x, low=0.2):
    n, size = len(x), x.shape[-1]
    area = torch.empty(n).uniform_(low, 1)
    ratio = torch.empty(n).uniform_(math.log(3 / 4), math.log(4 / 3)).exp()
    w, h = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    cx, cy = (torch.rand(n) * 2 - 1) * (1 - w), (torch.rand(n) * 2 - 1) * (1 - h)
    flip = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    zero = torch.zeros(n)
    theta = torch.stack([torch.stack([w * flip, zero, cx], 1), torch.stack([zero, h, cy], 1)], 1)
    grid = F.affine_grid(theta, [n, 3, size, size], align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def luma(x):
    return (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def hue(x, turn):
    """A rotation of the colour plane of YIQ, which is hue to first order and needs no branches."""
    a = turn * 2 * math.pi
    to = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    c, s, o, i = a.cos(), a.sin(), torch.zeros_like(a), torch.ones_like(a)
    turned = torch.stack([torch.stack([i, o, o], 1), torch.stack([o, c, -s], 1), torch.stack([o, s, c], 1)], 1)
    m = torch.linalg.inv(to) @ turned @ to
    return torch.bmm(m, x.flatten(2)).view_as(x).clamp(0, 1)


def jitter(x, p=0.8):
    n = len(x)
    factor = lambda: torch.empty(n, 1, 1, 1).uniform_(0.6, 1.4)
    y = x
    for k in torch.randperm(4).tolist():
        if k == 0:
            y = (y * factor()).clamp(0, 1)
        elif k == 1:
            mean = luma(y).mean((2, 3), keepdim=True)
            y = (mean + (y - mean) * factor()).clamp(0, 1)
        elif k == 2:
            g = luma(y)
            y = (g + (y - g) * factor()).clamp(0, 1)
        else:
            y = hue(y, torch.empty(n).uniform_(-0.1, 0.1))
    return torch.where(torch.rand(n, 1, 1, 1) < p, y, x)


def view(x):
    x = jitter(crop_and_flip(x))
    return torch.where(torch.rand(len(x), 1, 1, 1) < 0.2, luma(x).expand_as(x), x)


def normalise(x):
    return (x - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


# ---- The network ------------------------------------------------------------------------------------------


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.down = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)) if stride > 1 or i != o else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        return F.relu(y + (self.down(x) if self.down else x), inplace=True)


def encoder(w):
    """ssl-train's resnet10 of width w."""
    stem = [nn.Conv2d(3, w, 3, 1, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU(inplace=True)]
    stages = [Block(w << max(s - 1, 0), w << s, 2 if s else 1) for s in range(4)]
    e = nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for m in e.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    return e.to(memory_format=torch.channels_last)


def projector(inside):
    hidden, out = PROJECTOR
    return nn.Sequential(nn.Linear(inside, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, out))


def nt_xent(a, b):
    u = F.normalize(torch.cat([a, b]), dim=1)
    n, s = len(a), u @ u.T / TEMPERATURE
    s.fill_diagonal_(-float("inf"))
    return F.cross_entropy(s, torch.cat([torch.arange(n, 2 * n), torch.arange(n)]))


class Trainer:
    def __init__(self):
        self.encoder = encoder(WIDTH)
        self.head = projector(8 * WIDTH)
        params = [*self.encoder.parameters(), *self.head.parameters()]
        groups = [{"params": [p for p in params if p.ndim > 1], "weight_decay": DECAY},
                  {"params": [p for p in params if p.ndim <= 1], "weight_decay": 0}]
        self.opt = torch.optim.SGD(groups, lr=LR, momentum=MOMENTUM, nesterov=True)

    def step(self, x, done):
        """done: the part of the training that lies behind, from 0 to 1."""
        rate = LR * (done / 0.02 if done < 0.02 else (1 + math.cos(math.pi * (done - 0.02) / 0.98)) / 2)
        for g in self.opt.param_groups:
            g["lr"] = rate
        both = normalise(torch.cat([view(x), view(x)])).to(memory_format=torch.channels_last)
        z = self.head(self.encoder(both))
        loss = nt_xent(z[:len(x)], z[len(x):])
        self.opt.zero_grad(set_to_none=True)
        loss.backward()
        self.opt.step()
        return loss.item()


def train(pixels, log, seconds=None, epochs=None):
    t, begin, step, n = Trainer(), time.monotonic(), 0, len(pixels) // BATCH
    while True:
        order = torch.randperm(len(pixels))
        for i in range(n):
            done = (time.monotonic() - begin) / seconds if seconds else step / (epochs * n)
            if done >= 1:
                took = time.monotonic() - begin
                print(f"simclr: {step} steps, {step / n:.2f} epochs, {took:.0f} s, loss {loss:.4f}", file=sys.stderr)
                with open(log, "w") as f:
                    print(json.dumps({"step": step, "images": step * BATCH, "loss": loss, "images_per_second": step * BATCH / took}), file=f)
                return t
            loss = t.step(pixels[order[i * BATCH:(i + 1) * BATCH]].float() / 255, done)
            step += 1


def write(path, t, names, splits, classes, pixels):
    t.encoder.eval()
    with open(path, "wb") as f, torch.no_grad():
        w = Writer(f, {"kind": "embeddings", "count": len(names), "seed": 0, "history": [], "fields": {"embedding": ["<f4", [8 * WIDTH]]}})
        for at in range(0, len(names), 500):
            x = t.encoder(normalise(pixels[at:at + 500].float() / 255).to(memory_format=torch.channels_last)).numpy()
            for i, e in enumerate(x, at):
                w.put({"key": names[i], "index": i, "split": splits[i], "class": classes[i], "embedding": e})
        w.finish()


def speed():
    if not all(map(os.path.exists, TARS)):
        print("simclr: no CIFAR-10 here; nothing to measure")
        return
    pixels = images()[3][:BATCH * 12]
    t = Trainer()
    for i in range(12):
        if i == 4:
            begin = time.monotonic()
        t.step(pixels[i * BATCH:(i + 1) * BATCH].float() / 255, 0.5)
    print(f"simclr: PyTorch    {8 * BATCH / (time.monotonic() - begin):6.0f} images a second")
    pipe = (f"ssl-load -q {' '.join(TARS)} --size 32 --split train --limit {BATCH * 40} --shuffle | ssl-augment -q --views 2 {AUGMENT} | "
            f"ssl-pretext -q contrast | ssl-train -q --encoder resnet10 --width {WIDTH} --batch {BATCH} --lr {LR} --log /dev/stderr --log-every 20 -o /dev/null")
    lines = subprocess.run(pipe, shell=True, check=True, stderr=subprocess.PIPE).stderr.decode().splitlines()
    print(f"simclr: ssl-tools  {json.loads(lines[-1])['images_per_second']:6.0f} images a second")


def main(args):
    if not args:
        return speed()
    options = dict(zip(args[1::2], args[2::2]))
    if len(args) % 2 == 0 or not set(options) <= {"--seconds", "--epochs", "--seed"} or len({"--seconds", "--epochs"} & set(options)) != 1:
        sys.exit(__doc__)
    torch.manual_seed(int(options.get("--seed", 0)))
    names, splits, classes, pixels = images()
    training = torch.tensor([s == "train" for s in splits])
    t = train(pixels[training], args[0] + ".log", *(float(options[k]) if k in options else None for k in ("--seconds", "--epochs")))
    write(args[0], t, names, splits, classes, pixels)


main(sys.argv[1:])
