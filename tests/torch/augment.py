"""ssl-augment against torchvision and Pillow, on the same images.

Deterministic operations: the largest difference in grey levels is printed and
must not exceed the limit (0 where Pillow works in integers or in documented
roundings, 1 for the blur, 2 in no case). Random ones: what was drawn is read
off the result, and compared with torchvision's own draws by a two-sample
Kolmogorov-Smirnov test. Parameters are fixed by ranges of no width, which is
how a user would fix them.
"""
import io
import itertools
import os
import subprocess
import sys
import tarfile
import warnings

import numpy as np
import torch
import torchvision.transforms as T
import torchvision.transforms.functional as F
from PIL import Image
from torchvision.transforms import InterpolationMode as I
from torchvision.transforms.autoaugment import _apply_op

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SRC"], "examples", "python"))
from ssl_stream import Reader, Writer

warnings.filterwarnings("ignore")
DATA = os.environ.get("DATA", os.path.join(os.environ["SRC"], "..", "shared", "data"))
torch.set_num_threads(1)  # the images are small
failures = 0


# ---- Streams -----------------------------------------------------------------

def stream(images):
    out = io.BytesIO()
    w = Writer(out, {"kind": "images", "fields": {"key": ["str", []], "index": ["int", []], "image": ["|u1", [-1, -1, images[0].shape[2]]]},
                     "classes": None, "distinct": len(images), "count": len(images), "seed": 0, "objective": None,
                     "input_transform": None, "history": []})
    for i, a in enumerate(images):
        w.put({"key": str(i), "index": i, "image": a})
    w.finish()
    return out.getvalue()


def augment(images, *operands):
    """What ssl-augment makes of (H, W, C) arrays."""
    out = subprocess.run(["ssl-augment", *operands], input=stream(images), stdout=subprocess.PIPE, check=True).stdout
    results = [s["image"] for s in Reader(io.BytesIO(out))]
    assert len(results) == len(images)
    return results


# ---- Images ------------------------------------------------------------------

def real_images():
    """Some of each size, in colour; None without the data."""
    images = []
    for name, count in ("cifar10-test.tar", 40), ("clothing-160.tar", 12):
        path = os.path.join(DATA, name)
        if not os.path.exists(path):
            return None
        with tarfile.open(path) as tar:
            files = (m for m in tar if m.isfile() and m.name.endswith((".jpg", ".png")))
            for m in itertools.islice(files, count):
                images.append(np.asarray(Image.open(io.BytesIO(tar.extractfile(m).read())).convert("RGB")))
    return images


def gray(a):
    return np.asarray(Image.fromarray(a).convert("L"))[:, :, None]


def pil(a):
    return Image.fromarray(a[:, :, 0] if a.shape[2] == 1 else a)


def array(p):
    a = np.asarray(p)
    return a[:, :, None] if a.ndim == 2 else a


# ---- Deterministic operations ---------------------------------------------------

def compare(images, operand, reference, limit):
    global failures
    worst = differ = total = 0
    for ours, a in zip(augment(images, *operand.split()), images):
        theirs = array(reference(pil(a)))
        assert theirs.shape == ours.shape, (operand, theirs.shape, ours.shape)
        d = np.abs(ours.astype(int) - theirs)
        worst, differ, total = max(worst, d.max()), differ + (d > 0).sum(), total + d.size
    print(f"  {operand:52} {worst} ({100 * differ / total:.3f} % of values)")
    if worst > limit:
        print(f"FAIL {operand}: {worst} grey levels apart, at most {limit} allowed")
        failures += 1


# Degrees, moves as parts of the sides, scale, shears in degrees.
AFFINE = [(0, 0, 0, 1, 0, 0), (0, 0.1, -0.23, 1, 0, 0), (33, 0, 0, 1, 0, 0), (-170, 0.2, 0.1, 0.7, 0, 0), (0, 0, 0, 1.37, 0, 0),
          (0, 0, 0, 1, 20, 0), (0, 0, 0, 1, 0, -15), (12.5, 0.05, 0.4, 1.2, -33, 8), (90, 0, 0, 0.5, 0, 0)]


def operations():
    modes = {"nearest": I.NEAREST, "box": I.BOX, "bilinear": I.BILINEAR, "bicubic": I.BICUBIC, "lanczos": I.LANCZOS}
    for f in 0, 0.3, 0.9, 1.3, 2.5:
        yield f"jitter:brightness={f}-{f}", lambda p, f=f: F.adjust_brightness(p, f), 0
        yield f"jitter:contrast={f}-{f}", lambda p, f=f: F.adjust_contrast(p, f), 0
        yield f"jitter:saturation={f}-{f}", lambda p, f=f: F.adjust_saturation(p, f), 0
    for f in -0.5, -0.1, 0.05, 0.3, 0.5:
        yield f"jitter:hue={f}-{f}", lambda p, f=f: F.adjust_hue(p, f), 0
    yield "gray:p=1", lambda p: F.to_grayscale(p, 3) if p.mode == "RGB" else p, 0
    for f in 0, 77, 128, 256:
        yield f"solarize:{f},p=1", lambda p, f=f: F.solarize(p, f), 0
    for f in 0, 0.4, 1, 1.7, 5:
        yield f"sharpness:{f},p=1", lambda p, f=f: F.adjust_sharpness(p, f), 0
    for f in 1, 3, 8:
        yield f"posterize:{f},p=1", lambda p, f=f: F.posterize(p, f), 0
    yield "invert:p=1", F.invert, 0
    yield "autocontrast:p=1", F.autocontrast, 0
    yield "solarize:60,p=1 autocontrast:p=1", lambda p: F.autocontrast(F.solarize(p, 60)), 0
    yield "equalize:p=1", F.equalize, 0
    yield "jitter:brightness=0.1-0.1 equalize:p=1", lambda p: F.equalize(F.adjust_brightness(p, 0.1)), 0
    yield "flip:p=1", F.hflip, 0
    yield "vflip:p=1", F.vflip, 0
    for w, h in (20, 20), (33, 41), (161, 8):
        yield f"centercrop:{w}x{h}", lambda p, w=w, h=h: F.center_crop(p, (h, w)), 0
    for name, mode in modes.items():
        yield f"resize:40,{name}", lambda p, m=mode: F.resize(p, 40, m), 0
        yield f"resize:23x77,{name}", lambda p, m=mode: F.resize(p, (77, 23), m), 0
    for d in -350, -90, -30.5, 0, 12, 45, 90, 180, 270:
        yield f"rotate:{d}-{d},nearest,fill=9", lambda p, d=d: F.rotate(p, d, I.NEAREST, fill=9), 0
        yield f"rotate:{d}-{d},bilinear", lambda p, d=d: F.rotate(p, d, I.BILINEAR), 1
    for d, x, y, scale, sx, sy in AFFINE:
        operand = f"affine:{d}-{d},x={x}-{x},y={y}-{y},scale={scale},shearx={sx}-{sx},sheary={sy}-{sy}"
        for name, limit in ("nearest", 0), ("bilinear", 1):
            yield (f"{operand},filter={name},fill=9",
                   lambda p, n=name, d=d, x=x, y=y, s=scale, shear=(sx, sy):
                   F.affine(p, d, [round(x * p.width), round(y * p.height)], s, shear, modes[n], fill=9), limit)
    for k, s in itertools.product((3, 9, 23), (0.1, 0.5, 1, 2)):
        yield f"blur:{k},{s}", lambda p, k=k, s=s: F.gaussian_blur(p, k, s), 1
    yield "@eval:32", T.Compose([T.Resize(36), T.CenterCrop(32)]), 0
    yield "resize:40 solarize:100,p=1 blur:5,1.2", lambda p: F.gaussian_blur(F.solarize(F.resize(p, 40), 100), 5, 1.2), 1


# ---- Random operations: is what was drawn among what could have been? --------------

def check(name, good, detail=""):
    global failures
    print(f"  {name:52} {'ok' if good else 'FAIL'} {detail}")
    failures += not good


def jitter_orders(images):
    factors = {"brightness": 1.4, "contrast": 0.7, "saturation": 1.3, "hue": 0.08}
    adjust = {"brightness": F.adjust_brightness, "contrast": F.adjust_contrast,
              "saturation": F.adjust_saturation, "hue": F.adjust_hue}
    operand = "jitter:" + ",".join(f"{k}={v}-{v}" for k, v in factors.items())
    found = 0
    for ours, a in zip(augment(images, operand), images):
        for order in itertools.permutations(factors):
            p = pil(a)
            for k in order:
                p = adjust[k](p, factors[k])
            if np.array_equal(array(p), ours):
                found += 1
                break
    check("jitter is one of the 24 orders, exactly", found == len(images), f"{found}/{len(images)}")


def crops(images):
    small = [a for a in images if a.shape[0] == 32 and a.shape[1] == 32]
    for name, mode in (("bilinear", I.BILINEAR), ("bicubic", I.BICUBIC)):
        found = 0
        for ours, a in zip(augment(small, f"crop:40,scale=0.5-0.5,ratio=1.2-1.2,filter={name}"), small):
            w, h = round((512 * 1.2) ** 0.5), round((512 / 1.2) ** 0.5)
            found += any(np.array_equal(array(F.resized_crop(pil(a), y, x, h, w, (40, 40), mode)), ours)
                         for y in range(33 - h) for x in range(33 - w))
        check(f"crop with scale is a resized crop, {name}, exactly", found == len(small), f"{found}/{len(small)}")
    for mode in "constant", "edge", "reflect", "symmetric":
        found = 0
        for ours, a in zip(augment(small, f"crop:32,pad=4,mode={mode}"), small):
            p = F.pad(pil(a), 4, padding_mode=mode)
            found += any(np.array_equal(array(F.crop(p, y, x, 32, 32)), ours) for y in range(9) for x in range(9))
        check(f"crop with pad is a crop, {mode}, exactly", found == len(small), f"{found}/{len(small)}")


def same(ours, theirs, limit):
    return np.abs(ours.astype(int) - theirs).max() <= limit


def perspectives(images):
    """Corners that move by at most one pixel, each at one of two places: one of 256 results."""
    for side in 32, 160:
        chosen = [a for a in images if min(a.shape[:2]) == side][:8]
        for name, filter, limit in (("nearest", Image.NEAREST, 0), ("bilinear", Image.BILINEAR, 1)):
            found = 0
            for a in chosen:
                ours, = augment([a], f"perspective:{1.5 / (max(a.shape[:2]) // 2)},{name},p=1")
                h, w = a.shape[:2]
                moves = [range(2) if int(1.5 / (max(h, w) // 2) * (s // 2)) else range(1) for s in (w, h)] * 4
                for x0, y0, x1, y1, x2, y2, x3, y3 in itertools.product(*moves):
                    to = [(x0, y0), (w - 1 - x1, y1), (w - 1 - x2, h - 1 - y2), (x3, h - 1 - y3)]
                    a8, b8 = [], []
                    for (x, y), (u, v) in zip(to, [(0, 0), (w - 1, 0), (w - 1, h - 1), (0, h - 1)]):
                        a8 += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
                        b8 += [u, v]
                    # torchvision solves this in 32 bits, which moves some edges; Pillow does the rest
                    theirs = pil(a).transform((w, h), Image.PERSPECTIVE, np.linalg.solve(a8, b8).tolist(), filter)
                    # a place exactly between two pixels is in either, by the last bit of the solution
                    if (np.abs(ours.astype(int) - array(theirs)) > limit).any(2).sum() <= 2:
                        found += 1
                        break
            check(f"perspective takes corners to whole pixels, {name}", found == len(chosen), f"{found}/{len(chosen)}")


def randaugments(images):
    """One or two of torchvision's own changes, each to either side."""
    def changed(p, m, filter):
        space = T.RandAugment()._augmentation_space(31, (p.height, p.width))
        for op, (magnitudes, signed) in space.items():
            v = float(magnitudes[m]) if magnitudes.ndim else 0.0
            for sign in (1, -1) if signed and v else (1,):
                yield _apply_op(p, op, sign * v, filter, None)

    for m in 0, 5, 9, 20, 30:
        found = 0
        for ours, a in zip(augment(images, f"randaugment:1,{m}"), images):
            # at 20, linspace's fused multiply-add can give a strength another last bit
            found += any(same(ours, array(t), m == 20) for t in changed(pil(a), m, I.NEAREST))
        check(f"randaugment:1,{m} is one of the changes", found == len(images), f"{found}/{len(images)}")
    few = images[:6] + images[-2:]
    found = 0
    for ours, a in zip(augment(few, "randaugment:2,9,bilinear"), few):
        pairs = (u for t in changed(pil(a), 9, I.BILINEAR) for u in changed(t, 9, I.BILINEAR))
        found += any(np.abs(array(t).astype(int) - ours).mean() < 0.01 for t in pairs)
    check("randaugment is two of the changes", found == len(few), f"{found}/{len(few)}")


# ---- Distributions ------------------------------------------------------------------

def distance(name, ours, theirs):
    """Two-sample Kolmogorov-Smirnov; the limit is passed once in 1000 by chance, and seeds are fixed."""
    a, b = np.sort(ours), np.sort(theirs)
    x = np.concatenate([a, b])
    d = np.abs(np.searchsorted(a, x, "right") / len(a) - np.searchsorted(b, x, "right") / len(b)).max()
    limit = 1.95 * ((len(a) + len(b)) / (len(a) * len(b))) ** 0.5
    check(f"distribution of {name}", d < limit, f"KS {d:.4f}, limit {limit:.4f}")


def distributions(images):
    n = 3000
    torch.manual_seed(1)
    ramp = np.zeros((120, 200, 3), np.uint8)
    ramp[:, :, 0] = np.arange(200)
    ramp[:, :, 1] = np.arange(120)[:, None]

    for scale, ratio in ((0.08, 1), (3 / 4, 4 / 3)), ((0.5, 0.9), (0.5, 3)), ((0.9, 1), (2.5, 3)):
        operand = f"crop:200,scale={scale[0]}-{scale[1]},ratio={ratio[0]}-{ratio[1]},filter=nearest"
        out = np.stack([o[[0, -1], [0, -1]] for o in augment([ramp] * n, operand)]).astype(int)
        x, y = out[:, 0, 0], out[:, 0, 1]
        w, h = out[:, 1, 0] - x + 1, out[:, 1, 1] - y + 1
        theirs = np.array([T.RandomResizedCrop.get_params(torch.zeros(3, 120, 200), scale, ratio) for _ in range(n)])
        for what, a, b in zip(("x", "y", "width", "height"), (x, y, w, h), (theirs[:, 1], theirs[:, 0], theirs[:, 3], theirs[:, 2])):
            distance(f"crop's {what}, scale {scale[0]}-{scale[1]}", a, b)

    flat = np.full((2, 2, 3), 100, np.uint8)
    ours = [o[0, 0, 0] for o in augment([flat] * n, "jitter:0.4")]
    theirs = [array(T.ColorJitter(0.4)(pil(flat)))[0, 0, 0] for _ in range(n)]
    distance("jitter's brightness", ours, theirs)
    red = np.zeros((1, 1, 3), np.uint8)
    red[0, 0] = 200, 40, 90
    blueness = lambda a: int(a[0, 0, 2]) - int(a[0, 0, 1])
    ours = [blueness(o) for o in augment([red] * n, "jitter:hue=0.1")]
    theirs = [blueness(array(T.ColorJitter(hue=0.1)(pil(red)))) for _ in range(n)]
    distance("jitter's hue", ours, theirs)

    dot = np.zeros((9, 9, 1), np.uint8)
    dot[4, 4] = 255
    ours = [o[4, 4, 0] for o in augment([dot] * n, "blur:9,sigma=0.3-2")]
    theirs = [array(T.GaussianBlur(9, (0.3, 2))(pil(dot)))[4, 4, 0] for _ in range(n)]
    distance("blur's sigma", ours, theirs)

    white = np.full((60, 90, 1), 255, np.uint8)
    ours = [(o == 0).any(1).sum() / ((o == 0).any(0).sum() or 1) for o in augment([white] * n, "erase:p=1")]
    area = [(o == 0).sum() for o in augment([white] * n, "erase:p=1")]
    erase = T.RandomErasing(p=1)
    out = [erase(torch.ones(1, 60, 90))[0] == 0 for _ in range(n)]
    distance("erase's sides", ours, [o.any(1).sum().item() / (o.any(0).sum().item() or 1) for o in out])
    distance("erase's area", area, [o.sum().item() for o in out])

    line = np.zeros((401, 401, 1), np.uint8)
    line[:200, 200] = 255
    turn = lambda a: float(np.degrees(np.arctan2(*(np.array([200, 200]) - np.argwhere(a[:, :, 0]).mean(0))[::-1])))
    m = 300
    ours = [turn(o) for o in augment([line] * m, "rotate:40")]
    theirs = [turn(array(T.RandomRotation(40)(pil(line)))) for _ in range(m)]
    distance("rotate's angle", ours, theirs)

    colour = np.array([[[200, 40, 90]], [[10, 60, 30]]], np.uint8)
    for i, name in enumerate(("contrast", "saturation")):
        args = [0.0, 0.0, 0.0]
        args[1 + i] = 0.7
        jitter = T.ColorJitter(*args)
        distance(f"jitter's {name}", [int(o[0, 0, 0]) for o in augment([colour] * n, f"jitter:{name}=0.7")],
                 [int(array(jitter(pil(colour)))[0, 0, 0]) for _ in range(n)])

    dot = np.zeros((81, 121, 1), np.uint8)
    dot[40, 60] = 255
    place = lambda a: np.argwhere(a[:, :, 0])[0]
    ours = np.array([place(o) for o in augment([dot] * n, "affine:0,x=0.2,y=0.3")])
    move = T.RandomAffine(0, (0.2, 0.3))
    theirs = np.array([place(array(move(pil(dot)))) for _ in range(n)])
    distance("affine's y", ours[:, 0], theirs[:, 0])
    distance("affine's x", ours[:, 1], theirs[:, 1])
    m = 1000
    square = np.zeros((200, 200, 1), np.uint8)
    square[80:120, 80:120] = 255
    lean = lambda a: float(np.argwhere(a[80:84, :, 0])[:, 1].mean() - np.argwhere(a[116:120, :, 0])[:, 1].mean())
    for what, operand, theirs, measure in (
            ("scale", "affine:0,scale=0.5-1.6", T.RandomAffine(0, scale=(0.5, 1.6)), lambda a: (a > 0).sum()),
            ("shear", "affine:0,shearx=30", T.RandomAffine(0, shear=30), lean)):
        distance(f"affine's {what}", [measure(o) for o in augment([square] * m, operand)],
                 [measure(array(theirs(pil(square)))) for _ in range(m)])
    m = 300
    ours = [turn(o) for o in augment([line] * m, "affine:40")]
    distance("affine's angle", ours, [turn(array(T.RandomAffine(40)(pil(line)))) for _ in range(m)])

    m = 1000
    white = np.full((60, 90, 1), 255, np.uint8)
    theirs = T.RandomPerspective(0.6, p=1)
    ours, theirs = augment([white] * m, "perspective:0.6,p=1"), [array(theirs(pil(white))) for _ in range(m)]
    edges = (("area", lambda a: (a > 0).sum()), ("top", lambda a: np.argwhere(a[:, :, 0])[:, 0].min()),
             ("right", lambda a: np.argwhere(a[:, :, 0])[:, 1].max()))
    for what, measure in edges:
        distance(f"perspective's {what}", [measure(o) for o in ours], [measure(t) for t in theirs])
    photo = next(a for a in images if a.shape[0] == 32)
    rand = T.RandAugment()
    ours, theirs = augment([photo] * n, "randaugment"), [array(rand(pil(photo))) for _ in range(n)]
    distance("randaugment's mean", [o.mean() for o in ours], [t.mean() for t in theirs])
    distance("randaugment's deviation", [o.std() for o in ours], [t.std() for t in theirs])

    two = np.array([[[0], [255]]], np.uint8)
    for operand, p in ("flip", 0.5), ("flip:p=0.2", 0.2), ("flip:p=0.97", 0.97):
        got = np.mean([o[0, 0, 0] == 255 for o in augment([two] * n, operand)])
        check(f"probability of {operand}", abs(got - p) < 3.3 * (p * (1 - p) / n) ** 0.5, f"{got:.3f}")


def main():
    images = real_images()
    if images is None:
        print(f"skip augment: no images in {DATA}")
        return
    print("augment: largest difference from torchvision, in grey levels, in colour and in grey")
    for operand, reference, limit in operations():
        compare(images, operand, reference, limit)
        compare([gray(a) for a in images], operand, reference, limit)
    jitter_orders(images)
    crops(images)
    perspectives(images)
    randaugments(images)
    distributions(images)
    sys.exit(1 if failures else 0)


main()
