#!/usr/bin/python3
"""Make the image files of this folder again: make.py FOLDER (needs Pillow and numpy)."""
import io
import os
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageCms

os.chdir(sys.argv[1])
H, W = 10, 14
y, x = np.mgrid[0:H, 0:W]
rgb = np.stack([x * 255 // (W - 1), y * 255 // (H - 1), (x + 2 * y) * 255 // (W + 2 * H - 3)], 2).astype(np.uint8)
rgb[1:4, 1:4] = (250, 20, 30)  # a mark in one corner, so that turns show
im = Image.fromarray(rgb)
gray = im.convert('L')


def jpeg(image, **options):
    b = io.BytesIO()
    image.save(b, 'JPEG', quality=90, **options)
    return b.getvalue()


def save(name, data):
    with open(name, 'wb') as f:
        f.write(data)


def png(width, height, depth, colour, raw, extra=b''):
    def chunk(kind, body):
        return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)) + extra +
            chunk(b'IDAT', zlib.compress(raw, 9)) + chunk(b'IEND', b''))


def rows(a):
    return b''.join(b'\0' + r.tobytes() for r in a)


def profile():
    """An ICC profile (version 2, matrix and curve) of the primaries of Display P3, in D50, with a gamma of 1.8."""
    def fixed(v):
        return struct.pack('>i', round(v * 65536))
    def xyz(*v):
        return b'XYZ \0\0\0\0' + b''.join(map(fixed, v))
    words = b'wide test colours\0'
    tags = {b'desc': b'desc\0\0\0\0' + struct.pack('>I', len(words)) + words + bytes(78), b'cprt': b'text\0\0\0\0none\0',
            b'wtpt': xyz(0.9642, 1, 0.8249), b'rXYZ': xyz(0.5151, 0.2412, -0.0011), b'gXYZ': xyz(0.2920, 0.6922, 0.0419),
            b'bXYZ': xyz(0.1571, 0.0666, 0.7841)}
    for c in b'rTRC', b'gTRC', b'bTRC':
        tags[c] = b'curv\0\0\0\0' + struct.pack('>IH', 1, round(1.8 * 256))
    at, table, body = 128 + 4 + 12 * len(tags), struct.pack('>I', len(tags)), b''
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack('>II', at + len(body), len(data))
        body += data
    head = struct.pack('>I4sI4s4s4s', at + len(body), b'\0\0\0\0', 0x02400000, b'mntr', b'RGB ', b'XYZ ') + bytes(12)
    head += b'acsp' + bytes(28) + fixed(0.9642) + fixed(1) + fixed(0.8249)
    return head + bytes(128 - len(head)) + table + body


# ---- good
base = jpeg(im)
save('good-baseline.jpg', base)
prog = jpeg(im, progressive=True)
save('good-progressive.jpg', prog)
save('good-gray.jpg', jpeg(gray))
save('good-420.jpg', jpeg(im, subsampling=2))
save('good-cmyk.jpg', jpeg(im.convert('CMYK')))
save('good-profile.jpg', jpeg(im, icc_profile=profile()))
save('good-profile-broken.jpg', jpeg(im, icc_profile=profile()[:200]))
im.save('good-profile.png', icc_profile=profile())
im.save('good-profile-srgb.png', icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes())
for o in range(2, 9):
    exif = Image.Exif()
    exif[0x0112] = o
    save(f'good-orientation-{o}.jpg', jpeg(im, exif=exif))
im.save('good-rgb.png')
gray.save('good-gray.png')
im.convert('P', palette=Image.ADAPTIVE, colors=16).save('good-palette.png')
im.convert('P', palette=Image.ADAPTIVE, colors=16).save('good-palette-transparent.png', transparency=0)
alpha = np.dstack([rgb, (x * 255 // (W - 1)).astype(np.uint8)])
Image.fromarray(alpha).save('good-alpha.png')
Image.fromarray(np.dstack([np.asarray(gray), alpha[..., 3]]), 'LA').save('good-gray-alpha.png')
save('good-16bit-rgb.png', png(W, H, 16, 2, rows((rgb.astype('>u2') * 257).reshape(H, -1))))
save('good-16bit-gray.png', png(W, H, 16, 0, rows(np.asarray(gray).astype('>u2') * 257)))
im.convert('1').save('good-1bit.png')
im.resize((1, 1)).save('good-1x1.png')
Image.fromarray(np.tile(rgb, (1, 1500, 1))[:, :20000]).save('good-20000x10.png', optimize=True)
im.save('good-rgb.tif', compression='tiff_lzw')
im.save('good-rgb.bmp')
im.save('good-rgb.ppm')
im.save('good-lossless.webp', lossless=True)
im.convert('P', palette=Image.ADAPTIVE, colors=16).save('good-palette.gif')

# ---- bad
save('bad-empty.jpg', b'')
save('bad-truncated.jpg', base[:-40])
save('bad-truncated-progressive.jpg', prog[:-60])
save('bad-no-end.jpg', base[:-2])
save('bad-header-only.jpg', base[:200])
sos = base.index(b'\xff\xda') + 14
save('bad-huffman.jpg', base[:sos] + b'\xfe\xfe' * 30 + b'\xff\xd9')
good = open('good-rgb.png', 'rb').read()
save('bad-truncated.png', good[:-60])
at = good.index(b'IDAT') + 20
save('bad-checksum.png', good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1:])
save('bad-huge.png', png(60000, 60000, 8, 2, b'\0' * 100))
save('bad-text.jpg', b'not an image at all\n')
first = prog.index(b'\xff\xda')
after = prog.index(b'\xff\xc4', first)
save('bad-scans.jpg', prog[:after] + prog[first:after] * 600 + prog[after:])
