#!/usr/bin/env python3
"""PyTorch's side of `Benchmarks compare`: stays alive and runs blocks of steps when told to.

    python3 torch_peer.py --workload W2-512 --threads 1 [--mnist DIR] [--digits FILE]

It prints `ready <torch version> <GFLOP/s of a 512x784x128 product>`, then answers commands, one line each:

    variants               the ways of writing this workload, separated by blanks
    run VARIANT SECONDS    runs steps for at least that long; answers `<steps> <seconds> <CPU seconds>`
    quit

A training step gathers the mini-batch by shuffled index, then: forward, loss, zero_grad, backward, optimizer step, on float32
tensors in memory; a new permutation is drawn at each epoch inside the timed loop. A step of inference computes one batch; the
batches were cut beforehand. Variants:

    eager, foreach              plain code, with the plain or the multi-tensor optimizer
    trace+foreach, script+foreach   model and loss as one torch.jit module
    channels                    foreach (inference: eager) in channels_last memory format; CNN only
    logits                      W4 with binary_cross_entropy_with_logits
    eager, trace, freeze, optimize  inference
"""
import argparse
import gzip
import os
import sys
import time


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--workload", required=True)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--mnist", default="", help="folder of MNIST's IDX files, packed or not")
    p.add_argument("--digits", default="", help="file of digits: float32 [count, 64], then float32 one-hot [count, 10]")
    return p.parse_args()


OPTIONS = arguments()
for _v in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_v] = str(OPTIONS.threads)   # before the BLAS is loaded

import numpy as np               # noqa: E402
import torch                     # noqa: E402
import torch.nn as nn            # noqa: E402
import torch.nn.functional as F  # noqa: E402


# ---------------------------------------------------------------- data
def idx(path):
    raw = gzip.open(path + ".gz", "rb").read() if not os.path.exists(path) else open(path, "rb").read()
    nd = raw[3]
    shape = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i], "big") for i in range(nd)]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * nd).reshape(shape)


def mnist(shape=(784,), part="train"):
    x = torch.from_numpy(idx(f"{OPTIONS.mnist}/{part}-images-idx3-ubyte").astype(np.float32) / 255.0)
    y = torch.from_numpy(idx(f"{OPTIONS.mnist}/{part}-labels-idx1-ubyte").astype(np.int64))
    return x.reshape(-1, *shape), y


def noise(n, shape, classes=10):
    g = torch.Generator().manual_seed(1)
    return torch.rand(n, *shape, generator=g), torch.randint(classes, (n,), generator=g)


def digits():
    both = np.fromfile(OPTIONS.digits, np.float32)
    n = len(both) // 74
    return torch.from_numpy(both[:64 * n].reshape(n, 64)), torch.from_numpy(both[64 * n:].reshape(n, 10))


# ---------------------------------------------------------------- workloads
def mlp(*w):
    layers = []
    for a, b in zip(w, w[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cnn():
    return nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 5), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10))


def autoencoder(sigmoid=True):
    m = [nn.Linear(256, 100), nn.Tanh(), nn.Linear(100, 10), nn.Tanh(), nn.Linear(10, 100), nn.Tanh(), nn.Linear(100, 256)]
    return nn.Sequential(*m, *([nn.Sigmoid()] if sigmoid else []))


def conv1d():
    return nn.Sequential(nn.Conv1d(1, 32, 3), nn.MaxPool1d(2, 2), nn.Flatten(), nn.Linear(4064, 100), nn.ReLU(), nn.Linear(100, 10))


def tanh2():
    return nn.Sequential(nn.Linear(64, 50), nn.Tanh(), nn.Linear(50, 10), nn.Tanh())


class Loss(nn.Module):
    """Model and loss as one module, so that jit sees the whole forward pass."""
    kind: int

    def __init__(self, net, kind):
        super().__init__()
        self.net = net
        self.kind = {"ce": 0, "bce": 1, "sse": 2, "bcel": 3}[kind]

    def forward(self, x, y):
        p = self.net(x)
        if self.kind == 0:
            return F.cross_entropy(p, y)
        elif self.kind == 1:
            return F.binary_cross_entropy(p, y)
        elif self.kind == 3:
            return F.binary_cross_entropy_with_logits(p, y)
        return (p - y).square().sum()


def sgd(lr, momentum=0.0):
    return lambda ps, foreach: torch.optim.SGD(ps, lr=lr, momentum=momentum, foreach=foreach)


def adam(ps, foreach):
    return torch.optim.Adam(ps, lr=1e-3, foreach=foreach)


# name: (model, loss, optimizer, data, batch); batch None = all examples, no gather
TRAIN = {
    "W1":     (lambda: nn.Linear(784, 10), "ce", sgd(0.1), mnist, 100),
    "W2-512": (lambda: mlp(784, 128, 10), "ce", adam, mnist, 512),
    "W2-64":  (lambda: mlp(784, 128, 10), "ce", adam, mnist, 64),
    "W3-512": (cnn, "ce", adam, lambda: mnist((1, 28, 28)), 512),
    "W3-64":  (cnn, "ce", adam, lambda: mnist((1, 28, 28)), 64),
    "W4":     (autoencoder, "bce", adam, lambda: noise(12800, (256,)), 128),
    "W5":     (conv1d, "ce", sgd(0.01), lambda: noise(12800, (1, 256)), 128),
    "W6":     (tanh2, "sse", sgd(1e-4), digits, None),
    "W7":     (lambda: mlp(784, 512, 512, 256, 10), "ce", sgd(0.01, 0.9), mnist, 256),
    "W9":     (lambda: mlp(1024, 2048, 2048, 10), "ce", sgd(0.01), lambda: noise(8192, (1024,)), 512),
}
INFER = {
    "W8-W2-1":    (lambda: mlp(784, 128, 10), (784,), 1),
    "W8-W2-1000": (lambda: mlp(784, 128, 10), (784,), 1000),
    "W8-W3-1":    (cnn, (1, 28, 28), 1),
    "W8-W3-1000": (cnn, (1, 28, 28), 1000),
}


# ---------------------------------------------------------------- steps
def batches(n, b):
    while True:
        perm = torch.randperm(n)
        for i in range(0, n - b + 1, b):
            yield perm[i:i + b]


def training_step(name, variant, data):
    make, kind, opt_of, _, b = TRAIN[name]
    torch.manual_seed(0)
    if variant == "logits":
        make, kind = (lambda: autoencoder(False)), "bcel"
    x, y = data
    if kind.startswith("bce"):
        y = None
    net = make()
    if variant == "channels":
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    n = b or len(x)
    whole = Loss(net, kind)
    opt = opt_of(list(net.parameters()), variant != "eager")
    xb, yb = x[:n], (x[:n] if y is None else y[:n])
    if "trace" in variant:
        whole = torch.jit.trace(whole, (xb, yb))
    elif "script" in variant:
        whole = torch.jit.script(whole)

    if b is None:
        def step():
            loss = whole(xb, yb)
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
    else:
        it = batches(len(x), b)

        def step():
            i = next(it)
            xi = x[i]
            loss = whole(xi, xi if y is None else y[i])
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
    return step


def inference_step(name, variant, data):
    make, _, b = INFER[name]
    torch.manual_seed(0)
    x, _ = data
    net = make().eval()
    if "channels" in variant:
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    if variant not in ("eager", "channels"):
        net = torch.jit.trace(net, x[:b])
        if variant == "freeze":
            net = torch.jit.freeze(net)
        elif variant == "optimize":
            net = torch.jit.optimize_for_inference(torch.jit.freeze(net))
    cut = [x[i:i + b] for i in range(0, len(x) - b + 1, b)]
    at = 0

    def step():
        nonlocal at
        net(cut[at])
        at = at + 1 if at + 1 < len(cut) else 0
    return torch.inference_mode()(step)


def variants(name):
    if name in INFER:
        return ["eager", "trace", "freeze", "optimize"] + (["channels"] if "W3" in name else [])
    v = ["eager", "foreach", "trace+foreach", "script+foreach"]
    if name.startswith("W3"):
        v.append("channels")
    if name == "W4":
        v.append("logits")
    return v


def timed(step, seconds):
    """Steps for at least so long, after a few that bring its data back into the caches."""
    t0 = time.perf_counter()
    warm = 0
    while warm < 2 or (time.perf_counter() - t0 < 0.1 * seconds):
        step()
        warm += 1
    n, c0, t0 = 0, time.process_time(), time.perf_counter()
    while True:
        step()
        n += 1
        dt = time.perf_counter() - t0
        if dt >= seconds:
            return n, dt, time.process_time() - c0


def product_rate():
    a, b = torch.rand(512, 784), torch.rand(784, 128)
    out = torch.mm(a, b)
    best = 1e9
    for _ in range(20):
        t = time.perf_counter()
        torch.mm(a, b, out=out)
        best = min(best, time.perf_counter() - t)
    return 2 * 512 * 784 * 128 / best / 1e9


def main():
    torch.set_num_threads(OPTIONS.threads)
    name = OPTIONS.workload
    infer = name in INFER
    if not infer and name not in TRAIN:
        sys.exit(f"no workload {name}")
    data = mnist(INFER[name][1], "t10k") if infer else TRAIN[name][3]()
    made = {}
    print("ready", torch.__version__, f"{product_rate():.1f}", flush=True)
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            return
        if words == ["variants"]:
            print(*variants(name), flush=True)
        elif len(words) == 3 and words[0] == "run":
            if words[1] not in made:
                made[words[1]] = (inference_step if infer else training_step)(name, words[1], data)
                timed(made[words[1]], 0.05)
            n, wall, cpu = timed(made[words[1]], float(words[2]))
            print(n, f"{wall:.9f}", f"{cpu:.9f}", flush=True)
        else:
            print("error: expected variants, run VARIANT SECONDS or quit", flush=True)


if __name__ == "__main__":
    main()
