"""The engine's layers and encoders against PyTorch in double precision.

Each case is built twice: by tests/torch/graph.c from a text, and here from
torch modules with the same parameters, input and output gradient. Printed is
the largest difference relative to the largest magnitude, of the output, of
every gradient and of the running statistics: the engine's (float32) and, for
orientation, PyTorch's own float32. Limit for the engine: 1e-4. In a whole
encoder the input of some ReLU may lie so close to zero that rounding decides
its side, for PyTorch as for the engine, and the gradients then differ by
percents; such an input says nothing, so up to TRIES random ones are taken.

    layers.py [WORD ...]     only the cases whose title has one of the words
"""
import os
import subprocess
import sys
import warnings

import numpy as np
import torch
import torch.nn as nn
import torchvision

warnings.filterwarnings("ignore")
PROGRAM = os.path.join(os.environ["BIN"], "tests", "torch", "graph")
SETS = os.environ.get("SSL_CPU", "").split() or ["generic", "avx2", "avx512"]
TRIES = 6
torch.set_num_threads(2)
failures = 0


def program(*words, data=b"", cpu=None, infer=False):
    env = dict(os.environ, **({"SSL_CPU": cpu} if cpu else {}), **({"INFER": "1"} if infer else {}))
    done = subprocess.run([PROGRAM, *map(str, words)], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    if done.returncode:
        raise RuntimeError(done.stderr.decode().strip())
    return done.stdout


SETS = [s for s in SETS if not subprocess.run([PROGRAM, "params", "x = input 1 1 1"], env=dict(os.environ, SSL_CPU=s),
                                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode]


def params_of(spec):
    """Name -> shape, in the engine's order."""
    lines = program("params", spec).decode().splitlines()
    return {w[0]: tuple(map(int, w[1:])) for w in (line.split() for line in lines)}


def relative(got, truth, floor=0.0):
    got, truth = np.asarray(got, np.float64).ravel(), truth.detach().double().numpy().ravel()
    size = max(np.abs(truth).max(), floor, 1e-30)
    return np.abs(got - truth).max() / size


def torch_run(model, x, grad, train):
    """Output, gradients by name, running statistics by name, input gradient."""
    model.train(train)
    model.zero_grad()
    x = x.clone().requires_grad_(True)
    y = model(x)
    y.backward(grad.to(y))
    tensors = {k: p.grad for k, p in model.named_parameters()}
    tensors.update({k: b.clone() for k, b in model.named_buffers()})
    return y.detach(), tensors, x.grad


def compare(title, spec, model, shape, n, train=True, names=lambda k: k, whole=False):
    """model: a torch module whose state_dict has the engine's parameters under names(their name)."""
    global failures
    if sys.argv[1:] and not any(word in title for word in sys.argv[1:]):
        return
    params, left, lines = params_of(spec), list(SETS), {}
    for seed in range(TRIES if whole else 1):
        torch.manual_seed(len(title) + n + 1000 * seed)
        run = reference(title, params, model, shape, n, train, names)
        for cpu in list(left):
            ok, lines[cpu] = trial(title, spec, params, run, n, train, cpu)
            if ok:
                left.remove(cpu)
        if not left:
            break
    failures += len(left)
    for cpu in SETS:
        print(("FAIL " if cpu in left else "ok   ") + lines[cpu] + (f", try {seed + 1}" if seed else ""), flush=True)


def reference(title, params, model, shape, n, train, names):
    """Torch's results in single and double precision, the pairs of names, and the bytes that the program reads."""
    for v in model.state_dict().values():
        if v.dtype.is_floating_point and v.dim() == 1:
            v.uniform_(0.5, 1.5)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    x = torch.randn(n, *shape)
    with torch.no_grad():
        model.eval()
        grad = torch.randn_like(model(x))
    pairs = [(k, names(k)) for k in params]
    for k, t in pairs:
        if tuple(state[t].shape) != params[k]:
            raise RuntimeError(f"{title}: {k} is {params[k]}, torch's {t} is {tuple(state[t].shape)}")
    data = b"".join(state[t].numpy().astype("<f4").tobytes() for _, t in pairs) + x.numpy().tobytes() + grad.numpy().tobytes()
    single = torch_run(model, x, grad, train)
    model.load_state_dict(state)
    double = torch_run(model.double(), x.double(), grad.double(), train)
    model.float()
    return single, double, pairs, data


def trial(title, spec, params, run, n, train, cpu, limit=1e-4):
    """Whether the engine agrees, and the line that says how well."""
    single, double, pairs, data = run
    scale = max((t.abs().max().item() for k, t in double[1].items() if "running" not in k and "tracked" not in k), default=0.0)
    floor = 1e-3 * scale  # of a gradient that is zero but for rounding

    def worst(y, tensors, gx):
        grads = [relative(tensors[t], double[1][t], floor) for _, t in pairs if "running" not in t] + [relative(gx, double[2])]
        stats = [relative(tensors[t], double[1][t]) for _, t in pairs if "running" in t]
        return relative(y, double[0]), max(grads), max(stats, default=0.0)

    theirs = worst(*single)
    out = np.frombuffer(program("run", spec, n, "train" if train else "eval", data=data, cpu=cpu), "<f4")
    sizes = [double[0].numel()] + [int(np.prod(params[k])) for k, _ in pairs] + [double[2].numel()]
    parts = np.split(out, np.cumsum(sizes)[:-1])
    ours = worst(parts[0], {t: p for (_, t), p in zip(pairs, parts[1:-1])}, parts[-1])
    line = (f"{title:46s} {cpu:8s} value {ours[0]:.1e} gradients {ours[1]:.1e} statistics {ours[2]:.1e}"
            f"  (torch: {theirs[0]:.1e} {theirs[1]:.1e} {theirs[2]:.1e})")
    infer = 0.0
    if not train:
        y = np.frombuffer(program("run", spec, n, "eval", data=data, cpu=cpu, infer=True), "<f4")
        infer = relative(y, double[0])
        line += f", inference graph {infer:.1e}"
    return max(*ours, infer) < limit, line


class Named(nn.Module):
    """Modules applied in turn; parameters are named after the keys."""

    def __init__(self, **modules):
        super().__init__()
        for k, m in modules.items():
            self.add_module(k, m)

    def forward(self, x):
        for m in self.children():
            x = m(x)
        return x


class ConcatRows(nn.Module):
    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def forward(self, x):
        return x.reshape(x.shape[0] // self.parts, -1)


class Residual(nn.Module):
    def __init__(self, C):
        super().__init__()
        self.c = nn.Conv2d(C, C, 3, 1, 1, bias=False)
        self.b = nn.BatchNorm2d(C)

    def forward(self, x):
        return torch.relu(self.b(self.c(x)) + x)


class Identity(nn.Module):
    def forward(self, x):
        return x.flatten(1)


def layers():
    for C, H, W, K, k, s, p, bias in [(3, 32, 32, 64, 3, 1, 1, 0), (3, 64, 64, 64, 7, 2, 3, 0), (1, 28, 28, 16, 3, 1, 1, 1),
                                      (64, 32, 32, 64, 3, 1, 1, 0), (128, 16, 16, 128, 3, 1, 1, 0), (16, 32, 32, 16, 3, 1, 1, 0),
                                      (512, 4, 4, 512, 3, 1, 1, 0), (64, 7, 7, 64, 3, 1, 1, 0), (64, 32, 32, 128, 3, 2, 1, 0),
                                      (64, 15, 15, 128, 1, 2, 0, 0), (256, 14, 14, 64, 1, 1, 0, 0), (37, 9, 5, 50, 5, 3, 2, 1)]:
        compare(f"conv {C},{H}x{W} -> {K}, {k}x{k} stride {s} pad {p}", f"x = input {C} {H} {W}; c = conv x {K} {k} {s} {p} {bias}",
                Named(c=nn.Conv2d(C, K, k, s, p, bias=bool(bias))), (C, H, W), 6)
    for train in (True, False):
        mode = "training" if train else "evaluation"
        compare(f"batch norm, {mode}", "x = input 40 9 9; b = bn x", Named(b=nn.BatchNorm2d(40)), (40, 9, 9), 5, train)
        compare(f"batch norm of vectors, {mode}", "x = input 100 0 0; b = bn x", Named(b=nn.BatchNorm1d(100)), (100,), 32, train)
        compare(f"batch norm without affine, {mode}", "x = input 64 0 0; b = bnplain x", Named(b=nn.BatchNorm1d(64, affine=False)),
                (64,), 32, train)
        compare(f"conv, batch norm, residual, relu, {mode}", "x = input 32 8 8; c = conv x 32 3 1 1 0; b = bn c; s = add b x; y = relu s",
                Residual(32), (32, 8, 8), 8, train)
    compare("relu", "x = input 17 6 6; y = relu x", nn.ReLU(), (17, 6, 6), 4)
    compare("max-pooling", "x = input 20 15 11; y = maxpool x 3 2 1", nn.MaxPool2d(3, 2, 1), (20, 15, 11), 4)
    compare("global average pooling", "x = input 33 7 7; y = avgpool x", Named(p=nn.AdaptiveAvgPool2d(1), f=nn.Flatten()), (33, 7, 7), 4)
    compare("linear", "x = input 512 0 0; f = linear x 10 1", Named(f=nn.Linear(512, 10)), (512,), 64)
    compare("wide linear without bias", "x = input 512 0 0; f = linear x 2048 0", Named(f=nn.Linear(512, 2048, bias=False)), (512,), 64)
    compare("pixel shuffle", "x = input 36 5 4; y = shuffle x 3", nn.PixelShuffle(3), (36, 5, 4), 4)
    compare("a decoder", "x = input 20 4 4; a = conv x 24 3 1 1 0; b = bn a; c = relu b; d = shuffle c 2; e = conv d 3 3 1 1 1",
            Named(a=nn.Conv2d(20, 24, 3, 1, 1, bias=False), b=nn.BatchNorm2d(24), c=nn.ReLU(), d=nn.PixelShuffle(2),
                  e=nn.Conv2d(6, 3, 3, 1, 1)), (20, 4, 4), 4)
    compare("flatten, linear, concatenated rows", "x = input 5 3 3; f = flatten x; l = linear f 9 1; c = concat l 3; m = linear c 4 1",
            Named(f=nn.Flatten(), l=nn.Linear(45, 9), c=ConcatRows(3), m=nn.Linear(27, 4)), (5, 3, 3), 12)


def small_stem(model, C, width):
    model.conv1 = nn.Conv2d(C, width, 3, 1, 1, bias=False)
    model.maxpool = nn.Identity()
    return model


class ResNet20(nn.Module):
    """The small network of He et al., section 4.2, from torchvision's blocks and under its names."""

    def __init__(self, width=16):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inside = width
        for stage in range(3):
            out, blocks = width << stage, []
            for b in range(3):
                stride = 2 if stage and not b else 1
                down = nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out)) if stride > 1 else None
                blocks.append(torchvision.models.resnet.BasicBlock(inside, out, stride, down))
                inside = out
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.layer3(self.layer2(self.layer1(x))).mean((2, 3))


def convnet(C, width):
    modules = {}
    for i in range(1, 5):
        modules[f"conv{i}"] = nn.Conv2d(C if i == 1 else width << (i - 2), width << (i - 1), 3, 1 if i == 1 else 2, 1, bias=False)
        modules[f"bn{i}"] = nn.BatchNorm2d(width << (i - 1))
        modules[f"relu{i}"] = nn.ReLU()
    return Named(**modules, pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten())


def encoders():
    def of(name, stem, size, n, model, C=3, width=0):
        for train in (True, False):
            compare(f"{name}, {stem} stem, {size} px, {'training' if train else 'evaluation'}",
                    f"x = input {C} {size} {size}; encoder = encoder x {name} {width} {stem}", model, (C, size, size), n, train,
                    names=lambda k: k.replace("encoder.", "", 1), whole=True)

    def net(name):
        model = getattr(torchvision.models, name)()
        model.fc = nn.Identity()
        return model

    resnet10 = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1])
    resnet10.fc = nn.Identity()
    of("resnet10", "3x3", 24, 4, small_stem(resnet10, 3, 64))
    of("resnet18", "7x7", 64, 4, net("resnet18"))
    of("resnet34", "3x3", 16, 3, small_stem(net("resnet34"), 1, 64), C=1)
    of("resnet50", "7x7", 64, 2, net("resnet50"))
    of("resnet20", "auto", 32, 3, ResNet20())
    of("convnet", "auto", 28, 4, convnet(1, 32), C=1)
    of("identity", "auto", 8, 4, Identity())


def names():
    """torchvision's state_dict, name by name and shape by shape, after dropping our prefix."""
    global failures
    for name in ("resnet18", "resnet34", "resnet50"):
        theirs = {k: tuple(v.shape) for k, v in getattr(torchvision.models, name)().state_dict().items()
                  if not k.startswith("fc.") and not k.endswith("num_batches_tracked")}
        ours = params_of(f"x = input 3 224 224; y = encoder x {name} 0 7x7")
        ours = {k.replace("encoder.", "", 1): v for k, v in ours.items()}
        ok = ours == theirs
        failures += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {name}: {len(ours)} parameters have torchvision's names and shapes")
        for k in sorted(set(ours) ^ set(theirs)):
            print(f"     only {'here' if k in ours else 'in torchvision'}: {k}")


names()
layers()
encoders()
sys.exit(failures > 0)
