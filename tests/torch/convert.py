"""ssl-convert: safetensors with torchvision in both directions, ONNX by its checker and by ONNX Runtime, npz by NumPy.

ONNX Runtime is npm's onnxruntime-node, where Node finds it (NODE_PATH); embeddings must be equal within 1e-4.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import torch
import torchvision

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SRC"], "examples", "python"))
from ssl_stream import Reader, Writer

warnings.filterwarnings("ignore")
failures = 0
W = tempfile.mkdtemp()
os.chdir(W)


def check(name, good, detail=""):
    global failures
    print(f"  {name:60} {'ok' if good else 'FAIL'} {detail}")
    failures += not good


def near(name, ours, theirs, limit=1e-4):
    d = float(np.abs(ours - theirs).max() / max(1, np.abs(theirs).max()))
    check(name, ours.shape == theirs.shape and d < limit, f"largest difference {d:.1e}")


def run(*args, **kw):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE, **kw).stdout


def read_safetensors(path):
    with open(path, "rb") as f:
        n, = struct.unpack("<Q", f.read(8))
        head = json.loads(f.read(n))
        data = f.read()
    head.pop("__metadata__", None)
    types = {"F32": np.float32, "I64": np.int64}
    return {k: np.frombuffer(data[v["data_offsets"][0]:v["data_offsets"][1]], types[v["dtype"]]).reshape(v["shape"]) for k, v in head.items()}


def write_safetensors(path, tensors):
    head, data = {"__metadata__": {"format": "pt"}}, b""
    for k, v in tensors.items():
        b = v.numpy().tobytes()
        head[k] = {"dtype": {"torch.float32": "F32", "torch.int64": "I64"}[str(v.dtype)], "shape": list(v.shape), "data_offsets": [len(data), len(data) + len(b)]}
        data += b
    text = json.dumps(head, indent=1).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def images(n, side, channels=3):
    """Blobs, as a stream in a file and as an array."""
    rng = np.random.default_rng(side)
    a = np.stack([np.kron(rng.integers(0, 256, (4, 4, channels)), np.ones((side // 4, side // 4, 1))) for _ in range(n)]).astype(np.uint8)
    with open("images.ssl", "wb") as f:
        w = Writer(f, {"kind": "images", "fields": {"key": ["str", []], "index": ["int", []], "image": ["|u1", [side, side, channels]]},
                       "classes": None, "distinct": n, "count": n, "seed": 0, "objective": None, "input_transform": None, "history": []})
        for i in range(n):
            w.put({"key": str(i), "index": i, "image": a[i]})
        w.finish()
    return a


def embed(model):
    import io
    out = run("ssl-embed", "-q", "-m", model, stdin=open("images.ssl", "rb"))
    return np.stack([s["embedding"] for s in Reader(io.BytesIO(out))])


def torch_embed(net, a):
    mean, std = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    x = torch.from_numpy(((a.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2).copy())
    net.eval()
    net.fc = torch.nn.Identity()
    with torch.no_grad():
        return net(x).numpy()


def train(encoder, *options):
    subprocess.run(f"ssl-pretext -q rotate <images.ssl | ssl-train -q --encoder {encoder} {' '.join(options)} --batch 8 -o trained.model",
                   shell=True, check=True)


def train_in(transform, encoder, *options):
    """The same, with another input transform in the examples' header."""
    import io
    examples = Reader(io.BytesIO(run("ssl-pretext", "-q", "rotate", stdin=open("images.ssl", "rb"))))
    with open("examples.ssl", "wb") as f:
        w = Writer(f, {**examples.header, "input_transform": transform})
        for s in examples:
            w.put(s)
        w.finish()
    run("ssl-train", "-q", "--encoder", encoder, *options, "--batch", "8", "-o", "trained.model", stdin=open("examples.ssl", "rb"))


NODE = """
const ort = require('onnxruntime-node'), fs = require('fs');
const [model, raw, dims, out] = process.argv.slice(2);
ort.InferenceSession.create(model).then(async s => {
    const d = dims.split(',').map(Number), x = new ort.Tensor('uint8', new Uint8Array(fs.readFileSync(raw)), d);
    const y = (await s.run({image: x})).embedding;
    fs.writeFileSync(out, Buffer.from(y.data.buffer, y.data.byteOffset, y.data.byteLength));
}).catch(e => { console.error(e); process.exit(1); });
"""


def onnx(name, a, ours):
    run("ssl-convert", "--channels", str(a.shape[3]), "trained.model", "-o", "trained.onnx")
    try:
        import onnx
        model = onnx.load("trained.onnx")
        onnx.checker.check_model(model, full_check=True)
        check(f"{name}: onnx.checker", True, f"{len(model.graph.node)} nodes")
    except ImportError:
        print(f"  skip {name}: no python3-onnx")
    have = subprocess.run(["node", "-e", "require('onnxruntime-node')"], stderr=subprocess.DEVNULL).returncode == 0 if os.path.exists("/usr/bin/node") else False
    if not have:
        print(f"  skip {name} in ONNX Runtime: Node does not find onnxruntime-node")
        return
    with open("run.js", "w") as f:
        f.write(NODE)
    a.tofile("images.raw")
    run("node", "run.js", "trained.onnx", "images.raw", ",".join(map(str, a.shape)), "out.raw")
    near(f"{name}: ONNX Runtime", np.fromfile("out.raw", np.float32).reshape(len(a), -1), ours)


print("convert:")
a = images(8, 64)
for encoder, make in ("resnet18", torchvision.models.resnet18), ("resnet50", torchvision.models.resnet50):
    train(encoder, "--stem 7x7")
    ours = embed("trained.model")
    run("ssl-convert", "trained.model", "-o", "trained.safetensors")
    net = make()
    keys = net.load_state_dict({k: torch.tensor(v) for k, v in read_safetensors("trained.safetensors").items()}, strict=False)
    missing = [k for k in keys.missing_keys if not k.startswith("fc.") and not k.endswith("num_batches_tracked")]
    check(f"{encoder}: torchvision takes our weights", not missing and not keys.unexpected_keys, f"{missing} {keys.unexpected_keys}")
    near(f"{encoder}: its embeddings of them", torch_embed(net, a), ours)
    onnx(encoder, a, ours)

    torch.manual_seed(3)
    net = make()
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.1)
            m.running_var.uniform_(0.5, 2)
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.normal_(0, 0.1)
    write_safetensors("theirs.safetensors", net.state_dict())
    run("ssl-convert", "theirs.safetensors", "--size", "64", "-o", "theirs.model")
    near(f"{encoder}: ours of torchvision's weights", embed("theirs.model"), torch_embed(net, a))

for encoder, side, channels in ("resnet18", 32, 3), ("convnet", 28, 1):
    a = images(8, side, channels)
    train(encoder, "--width 8")
    onnx(f"{encoder}, {side} px, {channels} channels", a, embed("trained.model"))

# The spaces of one channel, from images of one and of three, each normalised by fixed numbers and by the image's own.
for space in "gray", "lab-l", "rgb":
    for normalize in ("lab" if space == "lab-l" else space if space == "gray" else "cifar10"), "image":
        for trained in 1, 3:
            a = images(8, 32, trained)
            train_in({"space": space, "normalize": normalize}, "resnet10", "--width", "4")
            for channels in 1, 3:
                a = images(8, 32, channels)
                onnx(f"{space}, {normalize}, trained on {trained}, {channels} channels", a, embed("trained.model"))

a = images(8, 28, 1)
train("convnet", "--width 8")
with open("e.ssl", "wb") as f:
    f.write(run("ssl-embed", "-q", "-m", "trained.model", stdin=open("images.ssl", "rb")))
run("ssl-convert", "e.ssl", "-o", "e.npz")
z = np.load("e.npz")
near("npz: numpy reads it", z["embedding"], embed("trained.model"), 1e-12)
check("npz: keys", list(z["key"]) == [str(i) for i in range(8)])
np.savez_compressed("theirs.npz", embedding=z["embedding"].astype(np.float64), key=np.array(["ä", "b", "日本", "d", "e", "f", "g", "h"]), label=np.arange(8))
out = run("ssl-convert", "theirs.npz")
with open("theirs.ssl", "wb") as f:
    f.write(out)
with open("theirs.ssl", "rb") as f:
    s = list(Reader(f))
near("npz: numpy's, compressed, in doubles", np.stack([x["embedding"] for x in s]), z["embedding"], 1e-12)
check("npz: its strings", [x["key"] for x in s][:3] == ["ä", "b", "日本"])
for name, bad in (("in Fortran's order", np.asfortranarray(z["embedding"])), ("halves", z["embedding"].astype(np.float16)),
                  ("objects", np.array([{}] * 8))):
    np.savez("bad.npz", embedding=bad)
    p = subprocess.run(["ssl-convert", "bad.npz"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(f"npz: {name} are refused", p.returncode == 3, p.stderr.decode().strip()[:90])
sys.exit(failures > 0)
