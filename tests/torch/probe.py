"""ssl-probe against scikit-learn and numpy, on real images: random features of Fashion-MNIST."""
import gzip, json, os, subprocess, sys, tempfile
import numpy as np

sys.path.insert(0, os.path.join(os.environ["SRC"], "examples", "python"))
from ssl_stream import Writer

FASHION = os.environ.get("FASHION", "/usr/share/datasets/fashion-mnist")
if not os.path.isdir(FASHION):
    print(f"skip probe: {FASHION} is not there")
    sys.exit(0)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

N_TRAIN, N_TEST, DIM = 12000, 10000, 96


def idx(name, start):
    return np.frombuffer(gzip.open(f"{FASHION}/{name}-ubyte.gz").read(), "u1", offset=start)


def features(name, n, mix):
    x = idx(f"{name}-images-idx3", 16).reshape(-1, 784)[:n].astype("f4") / 255
    return np.maximum(x @ mix, 0).astype("<f4"), idx(f"{name}-labels-idx1", 8)[:n]


def probe(path, *options):
    out = subprocess.run(["ssl-probe", "-q", "--json", "--confusion", *options, path], stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)["results"]


def knn(x, y, q, k, t=0.07):
    x, q = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x.astype("f8"), q.astype("f8")))
    out = []
    for block in np.array_split(q, 20):
        s = block @ x.T
        near = np.argpartition(-s, k, axis=1)[:, :k]
        w = np.exp(np.take_along_axis(s, near, 1) / t)
        out.append(np.stack([(w * (y[near] == c)).sum(1) for c in range(10)], 1).argmax(1))
    return np.concatenate(out)


mix = np.random.default_rng(0).standard_normal((784, DIM)).astype("f4") / 28
train, y_train = features("train", N_TRAIN, mix)
test, y_test = features("t10k", N_TEST, mix)
failed = 0


def check(what, ours, theirs, limit):
    global failed
    good = abs(ours - theirs) <= limit
    failed += not good
    print(f"probe: {what}: {ours:.2f}, {theirs:.2f} there; difference {abs(ours - theirs):.3f}, at most {limit}{'' if good else ' FAIL'}")


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "fashion.ssl")
    with open(path, "wb") as f:
        w = Writer(f, {"kind": "embeddings", "fields": {"embedding": ["<f4", [DIM]]}, "classes": None,
                       "distinct": N_TRAIN + N_TEST, "count": N_TRAIN + N_TEST, "seed": 0, "objective": None,
                       "input_transform": None, "history": []})
        for split, xs, ys in ("train", train, y_train), ("test", test, y_test):
            for i, (x, y) in enumerate(zip(xs, ys)):
                w.put({"key": f"{split}/{i}", "split": split, "class": str(y), "embedding": x})
        w.finish()

    scale = StandardScaler().fit(train)
    best = 0
    for l2 in 1e-1, 1e-3, 1e-5:
        ours = probe(path, "-m", "linear", "--l2", str(l2))[0]
        theirs = LogisticRegression(C=1 / (l2 * N_TRAIN), max_iter=2000, tol=1e-5).fit(scale.transform(train), y_train)
        predicted = theirs.predict(scale.transform(test))
        accuracy = 100 * (predicted == y_test).mean()
        best = max(best, accuracy)
        check(f"linear, l2 {l2:g}, accuracy", ours["accuracy"], accuracy, 0.2)
        check(f"linear, l2 {l2:g}, macro-F1", ours["macro_f1"], 100 * f1_score(y_test, predicted, average="macro"), 0.2)
    ours = probe(path, "-m", "linear")[0]
    check(f"linear, l2 chosen ({ours['l2'][0]:.3g}), against the best of those", ours["accuracy"], best, 0.5)

    for ours, k in zip(probe(path, "-m", "knn"), (20, 200)):
        predicted = knn(train, y_train, test, k)
        check(f"knn, k {k}, accuracy", ours["accuracy"], 100 * (predicted == y_test).mean(), 0.05)
        check(f"knn, k {k}, macro-F1", ours["macro_f1"], 100 * f1_score(y_test, predicted, average="macro"), 0.05)
sys.exit(failed > 0)
