"""tsne.py EMBEDDINGS.npz MAP.tsv SECONDS THREADS: scikit-learn's t-SNE of the same embeddings, and both maps' trustworthiness."""
import sys
import time

import numpy as np
from sklearn.manifold import TSNE, trustworthiness

z = np.load(sys.argv[1])
x = z["embedding"].astype(np.float64)
x /= np.linalg.norm(x, axis=1, keepdims=True)  # the distances of cosine similarity, as ssl-plot takes them
with open(sys.argv[2]) as f:
    rows = [line.rstrip("\n").split("\t") for line in f][1:]
assert [r[0] for r in rows] == list(z["key"]), "the samples are in another order"
ours = np.array([r[3:5] for r in rows], dtype=float)
start = time.time()
theirs = TSNE(init="pca", learning_rate="auto", random_state=0, n_jobs=int(sys.argv[4])).fit_transform(x)
seconds = time.time() - start
print("| %d embeddings of %d numbers | time | trustworthiness, 5 neighbours | 30 neighbours |" % x.shape)
print("|---|---:|---:|---:|")
for name, y, t in (("ssl-plot", ours, float(sys.argv[3])), ("scikit-learn", theirs, seconds)):
    print("| %s | %.1f s | %.4f | %.4f |" % (name, t, trustworthiness(x, y, n_neighbors=5), trustworthiness(x, y, n_neighbors=30)))
