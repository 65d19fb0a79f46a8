"""PyTorch's side of tests/bench/engine.sh: the same networks, sizes, batches and optimiser.

    engine.py NETWORK train|infer STEPS channels_last|contiguous THREADS
    engine.py NETWORK export FILE       for tests/bench/onnxruntime.js; prints batch and size
"""
import os
import resource
import statistics
import sys
import time
import warnings

os.environ.setdefault("OMP_PROC_BIND", "true")  # or libgomp may stack its threads on one core
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision
from torchvision.models.resnet import BasicBlock

warnings.filterwarnings("ignore")


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        layers, inside = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)], 16
        for width in (16, 32, 64):
            for b in range(3):
                stride = 2 if width > 16 and b == 0 else 1
                down = nn.Sequential(nn.Conv2d(inside, width, 1, stride, bias=False), nn.BatchNorm2d(width)) if stride > 1 else None
                layers.append(BasicBlock(inside, width, stride, down))
                inside = width
        self.body = nn.Sequential(*layers)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(self.body(x).mean((2, 3)))


def network(name):
    """Model, image size, batch."""
    if name == "resnet20":
        return ResNet20(), 32, 128
    if name == "resnet18":
        m = torchvision.models.resnet18(num_classes=10)
        m.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        m.maxpool = nn.Identity()
        return m, 32, 128
    if name == "resnet18_64":
        return torchvision.models.resnet18(num_classes=10), 64, 64
    return torchvision.models.resnet50(num_classes=10), 224, 8


torch.manual_seed(0)
if sys.argv[2] == "export":
    model, size, batch = network(sys.argv[1])
    torch.onnx.export(model.eval(), torch.zeros(batch, 3, size, size), sys.argv[3], opset_version=11)
    print(batch, size)
    sys.exit()

name, mode, steps, layout, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
torch.set_num_threads(threads)
model, size, batch = network(name)
x, y = torch.randn(batch, 3, size, size), torch.arange(batch) % 10
if layout == "channels_last":
    model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
model.train(mode == "train")
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)


def step():
    if mode == "infer":
        with torch.no_grad():
            model(x)
        return
    optimizer.zero_grad(set_to_none=True)
    F.cross_entropy(model(x), y).backward()
    optimizer.step()


times, cpu = [], 0
for s in range(steps + 1):
    t, c = time.perf_counter(), time.process_time()
    step()
    if s:
        times.append(time.perf_counter() - t)
        cpu += time.process_time() - c
median = statistics.median(times)
print(f"torch_{layout}\t{name}\t{mode}\t{1e3 * median:.1f} ms\t{1e3 * cpu / steps:.1f} ms CPU\t{batch / median:.1f} images/s"
      f"\t{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
