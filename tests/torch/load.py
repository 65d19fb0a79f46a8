"""ssl-load's pixels against Pillow's and libvips' (at most 2 levels apart), and its data sets against numpy's reading."""
import gzip
import io
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image, ImageCms, ImageOps

SRC = os.environ['SRC']
FILES = SRC + '/tests/files/'
DATA = os.environ.get('DATA', SRC + '/../shared/data')
FASHION = os.environ.get('FASHION', '/usr/share/datasets/fashion-mnist')
sys.path.insert(0, SRC + '/examples/python')
import ssl_stream  # noqa: E402

failed = 0


def load(*args):
    p = subprocess.run(['ssl-load', *args], stdout=subprocess.PIPE, check=True)
    with tempfile.TemporaryFile() as f:
        f.write(p.stdout)
        f.seek(0)
        return list(ssl_stream.Reader(f))


def check(name, ours, theirs, limit=2):
    global failed
    if ours.shape != theirs.shape:
        print(f'FAIL {name}: shape {ours.shape}, expected {theirs.shape}')
        failed += 1
        return
    worst = int(np.abs(ours.astype(int) - theirs.astype(int)).max())
    print(f'{name:34} largest difference {worst}')
    if worst > limit:
        print(f'FAIL {name}')
        failed += 1


def pillow(path, mode='RGB', background=(255, 255, 255)):
    im = ImageOps.exif_transpose(Image.open(path))
    if 'icc_profile' in im.info and 'broken' not in path:
        source, srgb = ImageCms.ImageCmsProfile(io.BytesIO(im.info['icc_profile'])), ImageCms.createProfile('sRGB')
        im = ImageCms.profileToProfile(im, source, srgb, renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC)
    if im.mode.startswith('I'):  # 16 bits: Pillow clips where everybody else scales
        return np.repeat((np.asarray(im).astype(int) // 257).astype(np.uint8)[..., None], 3, 2)
    if 'transparency' in im.info or im.mode in ('LA', 'RGBA'):
        im = im.convert('RGBA')
        im = Image.alpha_composite(Image.new('RGBA', im.size, background + (255,)), im)
    return np.asarray(im.convert('RGB').convert(mode))


# ---- Files: every good one
for f in sorted(os.listdir(FILES)):
    if not f.startswith('good-'):
        continue
    ours = load(FILES + f)[0]['image']
    if 'cmyk' in f and not shutil.which('vips'):
        print('skip', f + ': no vips (libvips-tools)')
        continue
    if 'cmyk' in f:  # colour-managed: libvips' own conversion is the reference
        with tempfile.TemporaryDirectory() as d:
            subprocess.run(['vips', 'icc_transform', FILES + f, d + '/x.png', 'srgb', '--embedded', '--input-profile', 'cmyk'], check=True)
            theirs = np.asarray(Image.open(d + '/x.png').convert('RGB'))
    else:
        theirs = pillow(FILES + f)
    check(f, ours, theirs)

check('--gray', load(FILES + 'good-rgb.png', '--gray')[0]['image'][..., 0], pillow(FILES + 'good-rgb.png', 'L'), 0)
check('--background', load(FILES + 'good-alpha.png', '--background', '204060')[0]['image'],
      pillow(FILES + 'good-alpha.png', background=(0x20, 0x40, 0x60)))

# ---- Resizing
im = Image.open(FILES + 'good-rgb.png')
for size in 5, 10, 32:
    check(f'--size {size}', load(FILES + 'good-rgb.png', '--size', str(size))[0]['image'],
          np.asarray(im.resize((size, size), Image.BILINEAR)))
check('--size 6 --fit crop', load(FILES + 'good-rgb.png', '--size', '6', '--fit', 'crop')[0]['image'],
      np.asarray(im.resize((6, 6), Image.BILINEAR, box=(2, 0, 12, 10))))

# ---- Real photographs, each through Pillow too
tar = DATA + '/clothing-160.tar'
if os.path.exists(tar):
    import tarfile
    with tarfile.open(tar) as t:
        members = {m.name[2:] if m.name.startswith('./') else m.name: m for m in t.getmembers() if m.isfile()}
        worst, far, n = 0, 0.0, 0
        for s in load(tar, '--limit', '40'):
            theirs = Image.open(io.BytesIO(t.extractfile(members[s['key'] + '.jpg']).read())).convert('RGB')
            worst = max(worst, int(np.abs(s['image'].astype(int) - np.asarray(theirs)).max()))
            n += 1
        check('photographs', np.array([worst]), np.array([0]))
        for s in load(tar, '--limit', '40', '--size', '32'):
            theirs = Image.open(io.BytesIO(t.extractfile(members[s['key'] + '.jpg']).read())).convert('RGB')
            theirs = np.asarray(theirs.resize((32, 32), Image.BILINEAR)).astype(int)
            far = max(far, float(np.abs(s['image'] - theirs).mean()))
        print(f'photographs at 32, decoded smaller: largest mean difference {far:.2f}')
        if far > 2 or n != 40:
            print('FAIL decoding at a smaller size')
            failed += 1
        for s in load(tar, '--limit', '40', '--shrink', '60'):
            if not 60 <= min(s['image'].shape[:2]) <= 80:
                print('FAIL --shrink', s['image'].shape)
                failed += 1
else:
    print('skip photographs: no', tar)

# ---- Data sets
if os.path.exists(FASHION):
    with gzip.open(FASHION + '/t10k-images-idx3-ubyte.gz') as f:
        theirs = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)
    with gzip.open(FASHION + '/t10k-labels-idx1-ubyte.gz') as f:
        labels = np.frombuffer(f.read(), np.uint8, offset=8)
    ours = load(FASHION, '--gray', '--split', 'test')
    check('fashion-mnist', np.stack([s['image'] for s in ours]), theirs, 0)
    check('its labels', np.array([s['label'] for s in ours]), labels, 0)
else:
    print('skip Fashion-MNIST: no', FASHION)

with tempfile.TemporaryDirectory() as d:
    rng = np.random.default_rng(0)
    cifar = rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    with open(d + '/test_batch.bin', 'wb') as f:
        for i, a in enumerate(cifar):
            f.write(bytes([i]) + a.transpose(2, 0, 1).tobytes())
    ours = load(d)
    check('cifar10', np.stack([s['image'] for s in ours]), cifar, 0)
    check('its labels', np.array([s['label'] for s in ours]), np.arange(4), 0)
    os.remove(d + '/test_batch.bin')

    with open(d + '/test.bin', 'wb') as f:
        for i, a in enumerate(cifar):
            f.write(bytes([9, 90 + i]) + a.transpose(2, 0, 1).tobytes())
    ours = load(d)
    check('cifar100', np.stack([s['image'] for s in ours]), cifar, 0)
    check('its labels', np.array([s['label'] for s in ours]), 90 + np.arange(4), 0)
    os.remove(d + '/test.bin')

    stl = rng.integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    with open(d + '/train_X.bin', 'wb') as f:
        for a in stl:
            f.write(a.transpose(2, 1, 0).tobytes())  # planes, column by column
    with open(d + '/train_y.bin', 'wb') as f:
        f.write(bytes([10, 1, 5]))
    ours = load(d)
    check('stl10', np.stack([s['image'] for s in ours]), stl, 0)
    check('its labels', np.array([s['label'] for s in ours]), np.array([9, 0, 4]), 0)

    for name, a in ('nhwc', stl), ('nhw', stl[..., 0]), ('hwc', stl[0]), ('hw', stl[0, ..., 0]):
        np.save(f'{d}/{name}.npy', a)
        ours = np.stack([s['image'] for s in load(f'{d}/{name}.npy')])
        b = a if name == 'nhwc' else a[None] if name == 'hwc' else np.repeat(a.reshape(-1, 96, 96, 1), 3, 3)
        check(name + '.npy', ours, b, 0)

sys.exit(failed > 0)
