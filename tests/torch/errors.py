"""Rounding errors of the engine's convolutions and linear layers beside PyTorch's.

For every shape that the encoders use, with the truth in double precision: the
error of the value and of each gradient, relative to its size (both as root of
the mean square), of the engine, with the set of kernels that fares worst, and of PyTorch
in single precision. Limit: 3 times PyTorch's, for Winograd kernels 10 times. The
reduction in the last column: over how many products an element is summed.

    errors.py [WORD ...]     only the shapes whose title has one of the words
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
LIMIT = {"winograd": 10.0}
torch.set_num_threads(2)


def program(*words, data=b"", cpu=None):
    env = dict(os.environ, **({"SSL_CPU": cpu} if cpu else {}))
    done = subprocess.run([PROGRAM, *map(str, words)], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    if done.returncode:
        raise RuntimeError(done.stderr.decode().strip())
    return done.stdout


def kernels_of(spec, cpu):
    """The kernel of each pass of the layer c."""
    words = [line.split(" ", 2) for line in program("kernels", spec, cpu=cpu).decode().splitlines()]
    kernels = {w[1]: w[2] for w in words if w[0] == "c"}
    kernels["value"] = kernels["forward"]
    return kernels


def available(cpu):
    try:
        return bool(kernels_of("x = input 16 4 4; c = conv x 16 3 1 1 0", cpu))
    except RuntimeError:
        return False


SETS = [s for s in os.environ.get("SSL_CPU", "").split() or ["generic", "avx2", "avx512"] if available(s)]


def shapes_of(model, C, size):
    """(C, H, W, K, kernel, stride, pad) of each convolution, (D, K) of each linear layer, once."""
    found = []

    def see(module, inputs, _):
        x = inputs[0].shape
        if isinstance(module, nn.Conv2d):
            found.append((*x[1:], module.out_channels, module.kernel_size[0], module.stride[0], module.padding[0]))
        else:
            found.append((x[1], module.out_features))

    for m in model.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            m.register_forward_hook(see)
    with torch.no_grad():
        model.eval()(torch.zeros(1, C, size, size))
    return list(dict.fromkeys(found))


def resnet(name, small):
    model = getattr(torchvision.models, name)()
    if small:
        model.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        model.maxpool = nn.Identity()
    model.fc = nn.Linear(model.fc.in_features, 10)
    return model


RESNET20 = [(3, 32, 32, 16, 3, 1, 1), (16, 32, 32, 16, 3, 1, 1), (16, 32, 32, 32, 3, 2, 1), (16, 32, 32, 32, 1, 2, 0),
            (32, 16, 16, 32, 3, 1, 1), (32, 16, 16, 64, 3, 2, 1), (32, 16, 16, 64, 1, 2, 0), (64, 8, 8, 64, 3, 1, 1), (64, 10)]
CONVNET = [(1, 28, 28, 32, 3, 1, 1), (32, 28, 28, 64, 3, 2, 1), (64, 14, 14, 128, 3, 2, 1), (128, 7, 7, 256, 3, 2, 1)]


def error(got, truth):
    got, truth = np.asarray(got, np.float64).ravel(), truth.detach().double().numpy().ravel()
    return np.sqrt(np.square(got - truth).mean() / np.square(truth).mean())


def run_torch(layer, x, grad):
    x = x.clone().requires_grad_(True)
    layer.zero_grad()
    y = layer(x)
    y.backward(grad)
    return {"value": y.detach(), "weights": layer.weight.grad.clone(), "data": x.grad}


def check(title, spec, layer, x, grad, results):
    weights = layer.weight.detach().clone()
    single = run_torch(layer, x, grad)
    double = run_torch(layer.double(), x.double(), grad.double())
    data = b"".join(t.numpy().tobytes() for t in (weights, x, grad))
    sums = {"value": weights[0].numel(), "weights": grad.numel() // weights.shape[0], "data": weights.numel() // weights.shape[1]}
    parts, kernels = {}, {}
    for cpu in SETS:
        out = np.frombuffer(program("run", spec, x.shape[0], "train", data=data, cpu=cpu), "<f4")
        parts[cpu] = dict(zip(("value", "weights", "data"), np.split(out, np.cumsum([grad.numel(), weights.numel()]))))
        kernels[cpu] = kernels_of(spec, cpu)
    for key in ("value", "data", "weights"):
        theirs = error(single[key].numpy(), double[key])
        share, ours, limit, cpu = max((error(parts[cpu][key], double[key]) / theirs / LIMIT.get(kernels[cpu][key], 3.0),
                                       error(parts[cpu][key], double[key]), LIMIT.get(kernels[cpu][key], 3.0), cpu) for cpu in SETS)
        results.append((share, key, share * limit))
        print(f"{'ok  ' if share <= 1 else 'FAIL'} {title:34s} {key:8s} {kernels[cpu][key]:12s} {cpu:8s} {ours:.1e}"
              f"  torch {theirs:.1e}  ratio {share * limit:5.2f} of {limit:2.0f}  sum of {sums[key]}", flush=True)


def main():
    seen, results = set(), []
    groups = [(RESNET20, 16), (CONVNET, 16), (shapes_of(resnet("resnet18", True), 3, 32), 16),
              (shapes_of(resnet("resnet18", False), 3, 64), 16), (shapes_of(resnet("resnet50", False), 3, 224), 2)]
    for shapes, n in groups:
        for s in shapes:
            title = f"{s[0]} -> {s[1]}" if len(s) == 2 else f"{s[0]},{s[1]}x{s[2]} -> {s[3]}, {s[4]}x{s[4]} stride {s[5]}"
            if s in seen or (sys.argv[1:] and not any(w in title for w in sys.argv[1:])):
                continue
            seen.add(s)
            torch.manual_seed(len(seen))
            if len(s) == 2:
                layer, x = nn.Linear(*s, bias=False), torch.rand(8 * n, s[0])
                spec = f"x = input {s[0]} 0 0; c = linear x {s[1]} 0"
            else:
                C, H, W, K, kernel, stride, pad = s
                layer, x = nn.Conv2d(C, K, kernel, stride, pad, bias=False), torch.randn(n, C, H, W).relu()
                spec = f"x = input {C} {H} {W}; c = conv x {K} {kernel} {stride} {pad} 0"
            with torch.no_grad():
                grad = torch.randn_like(layer(x))
            check(title, spec, layer, x, grad, results)
    worst = max(results, default=(0, "", 0))
    print(f"errors: {len(seen)} shapes, kernels {' '.join(SETS)}; at worst {worst[2]:.2f} times PyTorch's ({worst[1]})")
    return not results or worst[0] > 1


sys.exit(main())
