"""Losses over pairs, value and gradient, against PyTorch in double precision: tests/torch/objective.c evaluates an
objective on given vectors. Largest difference relative to the largest magnitude, with an absolute floor where the
gradient is zero; the limit is 1e-5, for every set of kernels that this processor has.
"""
import io, os, subprocess, sys
import numpy as np
import torch, torch.nn.functional as F

sys.path.insert(0, os.path.join(os.environ["SRC"], "examples", "python"))
from ssl_stream import Writer

PROGRAM = os.path.join(os.environ["BIN"], "tests", "torch", "objective")
torch.set_default_dtype(torch.float64)
FLOOR = 1e-7
failures = 0


def stream(x, objective, distinct):
    f = io.BytesIO()
    n, P, D = x.shape
    w = Writer(f, {"kind": "examples", "distinct": distinct or n, "count": n, "seed": 0, "history": [],
                   "fields": {"input": ["<f4", [P, D]]}, "objective": objective})
    for i in range(n):
        w.put({"key": str(i), "index": i, "input": x[i]})
    w.finish()
    return f.getvalue()


def evaluate(x, objective, settings, cpu, distinct=None):
    """The loss, its gradient, and the objective's state."""
    done = subprocess.run([PROGRAM, *settings], input=stream(x, objective, distinct), stdout=subprocess.PIPE, check=True,
                          env=dict(os.environ, SSL_CPU=cpu))
    rest = np.frombuffer(done.stdout[8:], "<f4")
    return np.frombuffer(done.stdout[:8], "<f8")[0], rest[:x.size].reshape(x.shape), rest[x.size:]


def available(cpu):
    x = np.ones((2, 2, 2), "<f4")
    try:
        return evaluate(x, {"name": "contrast"}, [], cpu) is not None
    except subprocess.CalledProcessError:
        return False


SETS = os.environ.get("SSL_CPU", "").split() or [c for c in ("generic", "avx2", "avx512") if available(c)]


def report(what, x, objective, settings, loss, distinct=None):
    global failures
    z = torch.tensor(x.astype("f8"), requires_grad=True)
    want = loss(z)
    want.backward()
    g, value, worst = z.grad.numpy(), want.item(), 0
    for cpu in SETS:
        v, d, _ = evaluate(x, objective, settings, cpu, distinct)
        scale = max(np.abs(g).max(), FLOOR / 1e-5)
        worst = max(worst, abs(v - value) / max(abs(value), FLOOR / 1e-5), np.abs(d - g).max() / scale)
    failures += not worst < 1e-5
    print(f"losses: {what:58} {worst:.1e}{'' if worst < 1e-5 else '  FAIL'}")


# ---- Contrast ------------------------------------------------------------------------------------------


def nt_xent(z, t):
    """The usual code for two views: a matrix of similarities, its diagonal left out, cross-entropy."""
    u = F.normalize(torch.cat([z[:, 0], z[:, 1]]), dim=1)
    n, s = len(z), u @ u.T / t
    s = s.masked_fill(torch.eye(2 * n, dtype=torch.bool), -np.inf)
    return F.cross_entropy(s, torch.cat([torch.arange(n, 2 * n), torch.arange(n)]))


def sup_con(z, t):
    """More views: the mean over the positives outside the logarithm."""
    n, P, D = z.shape
    u = F.normalize(z.reshape(n * P, D), dim=1)
    s = (u @ u.T / t).masked_fill(torch.eye(n * P, dtype=torch.bool), -np.inf)
    image = torch.arange(n * P) // P
    same = (image[:, None] == image[None]) & ~torch.eye(n * P, dtype=torch.bool)
    return -(F.log_softmax(s, 1).masked_fill(~same, 0).sum(1) / (P - 1)).mean()


def contrast():
    rng = np.random.default_rng(1)
    for n, P, D, t, how in ((64, 2, 128, 0.5, "random"), (250, 2, 32, 0.1, "random"), (1, 2, 16, 0.5, "random"),
                            (2, 2, 16, 0.5, "random"), (16, 2, 1, 0.5, "random"), (16, 2, 8, 0.001, "random"),
                            (16, 2, 8, 1000, "random"), (32, 2, 16, 0.5, "identical"), (32, 2, 16, 0.05, "identical views"),
                            (32, 2, 16, 0.5, "opposite views"), (32, 2, 16, 0.5, "opposite halves"), (20, 4, 16, 0.2, "random"),
                            (7, 3, 5, 1, "random"), (32, 2, 16, 0.5, "long and short")):
        x = rng.standard_normal((n, P, D)).astype("<f4")
        if how == "identical":
            x[:] = x[0, 0]
        elif how == "identical views":
            x[:, 1] = x[:, 0]
        elif how == "opposite views":
            x[:, 1] = -x[:, 0]
        elif how == "opposite halves":
            x[:] = x[0, 0]
            x[n // 2:] *= -1
        elif how == "long and short":
            x *= 10.0 ** rng.uniform(-3, 3, (n, P, 1)).astype("<f4")
        report(f"contrast: {n} images, {P} views, {D} dimensions, {t:g}, {how}", x, {"name": "contrast"},
               [f"temperature={t}"], lambda z: nt_xent(z, t) if P == 2 else sup_con(z, t))


# ---- Memory bank -----------------------------------------------------------------------------------------


def pirl(z, bank, t, weight):
    """Misra and van der Maaten 2020, equations 3 to 5, with all other memories as negatives."""
    total = 0
    for side, w in ((0, 1 - weight), (1, weight)):
        p = F.softmax(F.normalize(z[:, side], dim=1) @ bank.T / t, 1)
        own = torch.eye(len(bank), dtype=torch.bool)[:len(z)]
        total = total - w * (torch.where(own, p, 1 - p).log().sum(1)).mean()
    return total


def nce_bank():
    rng = np.random.default_rng(2)
    for n, N, D, t, weight in ((8, 50, 16, 0.07, 0.5), (32, 400, 128, 0.07, 0.5), (5, 5, 4, 1, 0.25), (1, 2, 3, 0.5, 1), (6, 20, 1, 0.5, 0.5),
                               (16, 100, 8, 100, 0.5)):
        x = rng.standard_normal((n, 2, D)).astype("<f4")
        settings = ["patches=0", f"negatives={N}", f"temperature={t}", f"weight={weight}"]
        objective = {"name": "nce-bank"}
        bank = torch.tensor(evaluate(x, objective, settings, SETS[0], N)[2].reshape(N, D).astype("f8"))
        report(f"nce-bank: {n} of {N} images, {D} dimensions, {t:g}, weight {weight:g}", x, objective, settings,
               lambda z: pirl(z, F.normalize(bank, dim=1), t, weight), N)


contrast()
nce_bank()
sys.exit(failures > 0)
