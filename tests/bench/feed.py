"""torchvision's side of tests/bench/feed.sh, and the images for both.

    feed.py make TAR FOLDER          photographs of 500 x 375, from those of TAR
    feed.py ROW TAR COUNT WORKERS    seconds for COUNT images: Pillow, torchvision and a DataLoader

Images are in memory beforehand, decoded for the rows that begin with a saved
stream; imports, workers' start and a warm-up are not counted. Batches are
bytes, as our streams are.
"""
import io
import itertools
import os
import random
import sys
import tarfile
import time
import warnings

import torch
import torchvision.transforms as T
from PIL import Image

warnings.filterwarnings("ignore")
JITTER = [T.RandomApply([T.ColorJitter(0.4, 0.4, 0.4, 0.1)], 0.8), T.RandomGrayscale(0.2)]
CROP = [T.RandomResizedCrop(32), T.RandomHorizontalFlip()]
LARGE = [T.RandomResizedCrop(224), T.RandomHorizontalFlip()]
ROWS = {  # encoded or decoded images, transforms
    "small": (False, CROP + JITTER),
    "small-blur": (False, CROP + JITTER + [T.RandomApply([T.GaussianBlur(3, (0.1, 2.0))], 0.5)]),
    "decode": (True, []),
    "large": (True, LARGE),
    "large-jitter": (True, LARGE + JITTER),
    "large-blur": (True, LARGE + JITTER + [T.RandomApply([T.GaussianBlur(23, (0.1, 2.0))], 0.5)]),
}


def files(path, count=None):
    with tarfile.open(path) as tar:
        members = (m for m in tar if m.isfile() and m.name.endswith(".jpg"))
        return [tar.extractfile(m).read() for m in itertools.islice(members, count)]


def make(path, folder):
    """Twelve photographs a picture, so that there is as much detail as in a large one."""
    random.seed(0)
    tiles = [Image.open(io.BytesIO(b)).convert("RGB").resize((125, 125)) for b in files(path, 1000)]
    for i in range(400):
        picture = Image.new("RGB", (500, 375))
        for k in range(12):
            picture.paste(random.choice(tiles), (k % 4 * 125, k // 4 * 125))
        picture.save(f"{folder}/{i:03}.jpg", quality=85)


class Images(torch.utils.data.Dataset):
    def __init__(self, items, encoded, transforms, count):
        self.items, self.encoded, self.count = items, encoded, count
        self.transform = T.Compose(transforms + [T.PILToTensor()])

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        item = self.items[i % len(self.items)]
        return self.transform(Image.open(io.BytesIO(item)).convert("RGB") if self.encoded else item)


def measure(row, path, count, workers):
    encoded, transforms = ROWS[row]
    items = files(path, 2000)
    if not encoded:
        items = [Image.open(io.BytesIO(b)).convert("RGB") for b in items]
    batch = 128 if row.startswith("small") or row == "decode" else 16
    warm_up = max(workers, 1) * 4 * batch
    loader = iter(torch.utils.data.DataLoader(Images(items, encoded, transforms, warm_up + count), batch, num_workers=workers,
                                              prefetch_factor=2))
    for _ in range(warm_up // batch):
        next(loader)
    start = time.perf_counter()
    n = sum(len(b) for b in loader)
    print(f"{time.perf_counter() - start:.4f} {n}")


torch.set_num_threads(1)
if sys.argv[1] == "make":
    make(sys.argv[2], sys.argv[3])
else:
    measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
