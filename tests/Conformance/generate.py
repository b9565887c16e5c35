"""Writes the numbers from PyTorch 1.13.1 that Hybrid's tests are held to.

    python3 generate.py            every operation, the trajectories and the initialisation facts, into data/

Each operation is one row of OPERATIONS: our name, PyTorch's function, the OpInfo whose samples it borrows, how to read
such a sample, and hand-written cases for the edges. An OpInfo sample is first brought into our normal form (inputs and
plain arguments), then run like a hand-written case, so what a file says is what was computed.

Every hand-written case draws from its own stream, seeded by SEED and its name: adding a row changes no other number.
README.md describes the format. Needs torch 1.13 (CPU) and numpy, nothing else.
"""

import argparse
import base64
import json
import math
import os
import pathlib
import random
import sys
import types
import unittest
import zlib
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence

os.environ["ATEN_CPU_CAPABILITY"] = "default"  # PyTorch's scalar kernels: the C library's exp, one order of summation

import numpy
import torch
import torch.nn.functional as F

SEED = 20240613
VERSION = "1.13.1"  # Debian's package 1.13.1 calls itself 1.13.0a0
LARGEST_CASE = 1600  # numbers in all tensors of one case; OpInfo samples above it are left out
DATA = pathlib.Path(__file__).resolve().parent / "data"

INF, NAN = math.inf, math.nan


# ---------------------------------------------------------------- inputs of hand-written cases


@dataclass
class Random:
    """float64 numbers, uniform in [low, high), drawn from the case's own stream."""

    shape: Sequence[int]
    low: float = -2.0
    high: float = 2.0

    def make(self, stream):
        return torch.rand(self.shape, dtype=torch.float64, generator=stream) * (self.high - self.low) + self.low


@dataclass
class Simplex:
    """float64 rows that are at least 0 and sum to 1 along `axis`."""

    shape: Sequence[int]
    axis: int = -1

    def make(self, stream):
        weights = torch.rand(self.shape, dtype=torch.float64, generator=stream) + 0.05
        return weights / weights.sum(self.axis, keepdim=True)


@dataclass
class Literal:
    values: Any
    dtype: torch.dtype = torch.float64
    shape: Optional[Sequence[int]] = None

    def make(self, stream):
        tensor = torch.tensor(self.values, dtype=self.dtype)
        return tensor if self.shape is None else tensor.reshape(self.shape)


def R(*shape, low=-2.0, high=2.0):
    return Random(shape, low, high)


def T(values):
    return Literal(values)


def I(values, shape=None):
    return Literal(values, torch.int64, shape)


def B(values):
    return Literal(values, torch.bool)


def case(name, *inputs, **arguments):
    return name, inputs, arguments


# ---------------------------------------------------------------- the rows


@dataclass
class Operation:
    name: str  # ours, and the file's
    torch: str  # PyTorch's
    apply: Callable  # (*inputs, **arguments) -> output
    samples: Optional[str] = None  # OpInfo's name, with ".variant" if it has one
    take: Optional[Callable] = None  # OpInfo sample -> (inputs, arguments), or None to leave it out
    cases: Sequence = ()
    every: int = 1  # keep each n-th of the samples that `take` accepts


def plain(sample):
    """A sample that has tensors only: (input, *args)."""
    return None if sample.kwargs else ([sample.input, *sample.args], {})


def options(**defaults):
    """A sample of tensors whose keyword arguments are ours too, once the defaults are filled in; others are left out."""

    def take(sample):
        known = all(key in defaults for key in sample.kwargs)
        return ([sample.input, *sample.args], {**defaults, **sample.kwargs}) if known else None

    return take


def every_axis(x, axes):
    return list(range(x.dim())) if axes is None else axes


# -- elementwise: name, function, OpInfo, range of random inputs, edges

ANY, POSITIVE = (-2.0, 2.0), (0.1, 3.0)
SIGNED = [0.0, -0.0, 1e-300, -1e-300, 1.0, -1.0, 1e300, -1e300]
BENT = [0.0, -0.0, 1e-17, -1e-17, 1e-8, -1e-8, 0.5, -0.5]

UNARY = [
    ("neg", torch.neg, "neg", ANY, SIGNED),
    ("abs", torch.abs, "abs", ANY, SIGNED),
    ("sign", torch.sign, "sign", ANY, SIGNED),
    ("exp", torch.exp, "exp", ANY, BENT + [1.0, -1.0, 709.0, 710.0, -708.0, -745.0, -746.0]),
    ("log", torch.log, "log", POSITIVE, [1.0, 0.0, -1.0, 5e-324, 1e-300, 1e300]),
    ("log1p", torch.log1p, "log1p", POSITIVE, BENT + [1e-300, -1.0, 1e300]),
    ("expm1", torch.expm1, "expm1", ANY, BENT + [1.0, -1.0, -40.0, 709.0, 710.0]),
    ("sqrt", torch.sqrt, "sqrt", POSITIVE, [0.0, -0.0, 4.0, -1.0, 1e-300, 1e300]),
    ("reciprocal", torch.reciprocal, "reciprocal", POSITIVE, [0.0, -0.0, 3.0, -3.0, 1e-300, 1e300]),
    ("sin", torch.sin, "sin", ANY, BENT + [math.pi / 2, math.pi, 100.0, 1e5, 1e22]),
    ("cos", torch.cos, "cos", ANY, BENT + [math.pi / 2, math.pi, 100.0, 1e5, 1e22]),
    ("tanh", torch.tanh, "tanh", ANY, BENT + [1e-300, 19.0, 20.0, -20.0, 400.0]),
    ("sigmoid", torch.sigmoid, "sigmoid", ANY, BENT + [36.0, -36.0, 40.0, -40.0, 709.0, -709.0, 800.0, -800.0]),
    ("relu", F.relu, "nn.functional.relu", ANY, SIGNED),
    ("square", torch.square, "square", ANY, [0.0, -0.0, -3.0, 1e-200, 1e200]),
]

BINARY = [
    ("add", torch.add, "add", ANY, []),
    ("sub", torch.sub, "sub", ANY, []),
    ("mul", torch.mul, "mul", ANY, []),
    ("div", torch.div, "div.no_rounding_mode", POSITIVE, [
        case("division by zero", T([1.0, -1.0, 0.0, 1.0]), T([0.0, 0.0, 0.0, -0.0])),
    ]),
    ("pow", torch.pow, "pow", POSITIVE, [
        case("negative base, whole exponents", T([-2.0, -2.0, -2.0, -2.0]), T([-1.0, 0.0, 2.0, 3.0])),
        case("base zero", T([0.0, 0.0, 0.0, 0.0, 0.0]), T([0.0, 0.5, 1.0, 2.0, -1.0])),
        case("exponent zero", T([0.0, 1.0, 3.0]), T([0.0, 0.0, 0.0])),
    ]),
    ("maximum", torch.maximum, "maximum", ANY, []),
    ("minimum", torch.minimum, "minimum", ANY, []),
]
TIES = [
    case("ties share", T([1.0, 2.0, -3.0, 0.0, 5.0]), T([1.0, 2.0, -3.0, 0.0, 4.0])),
    case("tie of signed zeros", T([0.0, -0.0]), T([-0.0, 0.0])),
    case("ties across a broadcast axis", T([[1.0, 2.0], [2.0, 1.0], [3.0, 0.0]]), T([2.0, 1.0])),
    case("not a number", T([NAN, 1.0, NAN, INF]), T([1.0, NAN, NAN, -INF])),
]


def unary(name, function, samples, span, edges):
    low, high = span
    return Operation(name, f"torch.{name}", function, samples, plain, [
        case("scalar", R(low=low, high=high)),
        case("empty", R(0, 3)),
        case("rank 3", R(2, 3, 4, low=low, high=high)),
        case("edges", T(edges)),
        case("not finite", T([INF, -INF, NAN])),
    ])


def binary(name, function, samples, span, edges):
    shapes = [
        ("scalar right", (2, 3), ()),
        ("scalar left", (), (2, 3)),
        ("row right", (2, 3, 4), (4,)),
        ("row left", (4,), (2, 3, 4)),
        ("column and row", (3, 1), (1, 4)),
        ("middle axis left", (2, 1, 3), (2, 4, 3)),
        ("empty left", (0, 3), (3,)),
        ("empty right", (1, 3), (0, 3)),
    ]
    low, high = span
    drawn = [case(n, R(*a, low=low, high=high), R(*b, low=low, high=high)) for n, a, b in shapes]
    ties = TIES if name in ("maximum", "minimum") else []
    return Operation(name, f"torch.{name}", function, samples, plain, drawn + list(edges) + ties)


POWERS = [2.0, 3.0, 0.5, -1.0, -2.0, 1.0, 0.0, 1.5]

ELEMENTWISE = [unary(*row) for row in UNARY] + [binary(*row) for row in BINARY] + [
    Operation("pow_scalar", "torch.pow(x, number)", lambda x, exponent: torch.pow(x, exponent), cases=[
        *[case(f"positive base to {p}", R(2, 3, low=0.1, high=3.0), exponent=p) for p in POWERS],
        *[case(f"base zero to {p}", T([0.0]), exponent=p) for p in POWERS],
        *[case(f"negative base to {p}", T([-2.0, -0.5]), exponent=p) for p in POWERS if p == int(p)],
    ]),
    Operation("where", "torch.where(condition, a, b)", torch.where, "where",
              lambda s: ([s.args[0], s.input, s.args[1]], {}), [
        case("same shape", B([[True, False], [False, True]]), R(2, 2), R(2, 2)),
        case("condition row", B([True, False, True]), R(2, 3), R(2, 3)),
        case("condition column, scalar left", B([[True], [False]]), R(), R(2, 3)),
        case("scalar right", B([[True, False, True], [False, False, True]]), R(2, 3), R()),
        case("condition scalar", B(True), R(3), R(2, 1)),
        case("empty", B([]), R(0), R(1)),
        case("branch not taken is not a number", B([True, False]), T([1.0, NAN]), T([INF, 2.0])),
    ]),
    Operation("clamp", "torch.clamp", lambda x, min, max: torch.clamp(x, min, max), cases=[
        case("both", R(2, 3, 4), min=-1.0, max=0.5),
        case("min only", R(2, 3), min=0.25, max=None),
        case("max only", R(2, 3), min=None, max=0.25),
        case("at the bounds", T([-1.0, 1.0, -1.5, 1.5, 0.0]), min=-1.0, max=1.0),
        case("bounds cross", T([-1.0, 0.0, 1.0, 2.0, 3.0]), min=2.0, max=1.0),
        case("bounds equal", T([0.0, 1.0, 2.0]), min=1.0, max=1.0),
        case("scalar", R(), min=0.0, max=1.0),
        case("empty", R(0, 2), min=0.0, max=1.0),
        case("not finite", T([INF, -INF, NAN]), min=-1.0, max=1.0),
    ]),
]

# -- reductions


def reduction(function):
    """A function of (x, axes, keepdim) from PyTorch's of (x, dim, keepdim)."""
    return lambda x, axes, keepdim: function(x, dim=every_axis(x, axes), keepdim=keepdim)


def reduced(sample):
    """(x, dim, keepdim), positional or by name; PyTorch's dim=[] and an axis of a scalar are left out."""
    given = dict(zip(("dim", "keepdim"), sample.args), **sample.kwargs)
    axes, keepdim = given.get("dim"), given.get("keepdim", False)
    if set(given) - {"dim", "keepdim"} or axes == [] or axes == () or (axes is not None and sample.input.dim() == 0):
        return None
    axes = axes if axes is None else [axes] if isinstance(axes, int) else list(axes)
    return [sample.input], {"axes": axes, "keepdim": keepdim}


def reduced_axis(sample):
    """As `reduced`, for operations that take one axis: `axis` in place of `axes`."""
    taken = reduced(sample)
    if taken is None:
        return None
    axes = taken[1]["axes"]
    return taken[0], {"axis": None if axes is None else axes[0], "keepdim": taken[1]["keepdim"]}


def along(sample):
    """A sample of (x, axis); an axis of a scalar is left out."""
    return None if sample.input.dim() == 0 else ([sample.input], {"axis": sample.args[0]})


def variance(sample):
    given = dict(sample.kwargs)
    if sample.args:
        given["unbiased"] = sample.args[0]
    correction = given.get("correction", int(given.get("unbiased", True)))
    axes = given.get("dim")
    axes = [axes] if isinstance(axes, int) else axes
    arguments = {"axes": axes, "keepdim": given.get("keepdim", False), "correction": 1 if correction is None else correction}
    return [sample.input], arguments


def product(x, axes, keepdim):
    return torch.prod(x) if axes is None else torch.prod(x, axes[0], keepdim)


def largest(x, axis, keepdim):
    return torch.max(x, axis, keepdim).values


EMPTY_SUMS = [
    case("empty, all", R(0, 3), axes=None, keepdim=False),
    case("empty axis", R(0, 3), axes=[0], keepdim=False),
    case("axis beside an empty one", R(0, 3), axes=[1], keepdim=True),
]
LONG_SUMS = [
    case("long", R(257), axes=None, keepdim=False),
    case("long axis", R(2, 100), axes=[-1], keepdim=False),
    case("all, kept", R(2, 3), axes=[0, 1], keepdim=True),
    case("outer and inner", R(2, 3, 4), axes=[-3, -1], keepdim=False),
]
EXTREMES = [
    case("ties share, all", T([[3.0, 1.0], [1.0, 3.0], [3.0, 1.0]]), axes=None, keepdim=False),
    case("ties share, axis", T([[1.0, 1.0, 1.0], [2.0, 5.0, 5.0], [-1.0, -1.0, 0.0]]), axes=[1], keepdim=False),
    case("ties share, two axes kept", T([[[1.0, 2.0], [2.0, 1.0]], [[3.0, 3.0], [1.0, 1.0]]]), axes=[0, -1], keepdim=True),
    case("not a number", T([[1.0, NAN, 2.0], [1.0, 2.0, 3.0]]), axes=[1], keepdim=False),
    case("infinities", T([[INF, -INF], [-INF, -INF]]), axes=[1], keepdim=False),
    case("axis beside an empty one", R(0, 3), axes=[1], keepdim=False),
]
FIRST_WINS = [
    ("first of ties wins, last axis", T([[1.0, 1.0, 1.0], [2.0, 5.0, 5.0], [-1.0, -1.0, 0.0]]), -1, False),
    ("first of ties wins, axis 0", T([[3.0, 1.0], [3.0, 2.0], [1.0, 2.0]]), 0, True),
    ("signed zeros", T([[-0.0, 0.0], [0.0, -0.0]]), 1, False),
    ("not a number", T([[1.0, NAN, NAN], [5.0, 2.0, 3.0]]), 1, False),
    ("axis beside an empty one", R(0, 3), 1, False),
    ("rank 3, middle axis", R(2, 3, 4), 1, False),
    ("rank 3, axis -3", R(2, 3, 4), -3, True),
]
EXPONENTIALS = [
    ("rank 3, middle axis", R(2, 3, 4), 1),
    ("axis -2", R(2, 3, 4), -2),
    ("axis of one", R(3, 1), 1),
    ("empty", R(0, 3), 1),
    ("far apart", T([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]]), -1),
    ("masked by -inf", T([[-INF, 0.0, 1.0], [-INF, -INF, 2.0]]), -1),
]

REDUCTIONS = [
    Operation("sum", "torch.sum", reduction(torch.sum), "sum", reduced, EMPTY_SUMS + LONG_SUMS),
    Operation("mean", "torch.mean", reduction(torch.mean), "mean", reduced, EMPTY_SUMS + LONG_SUMS),
    Operation("prod", "torch.prod", product, "prod", reduced, [
        case("no zero", R(3, 4), axes=[1], keepdim=False),
        case("one zero", T([[2.0, 0.0, -3.0], [1.0, 2.0, 3.0]]), axes=[1], keepdim=False),
        case("two zeros", T([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), axes=[-1], keepdim=True),
        case("one zero, all", T([2.0, 0.0, -3.0]), axes=None, keepdim=False),
        case("two zeros, all", T([0.0, 0.0, -3.0]), axes=None, keepdim=False),
        case("empty, all", R(0, 3), axes=None, keepdim=False),
        case("empty axis", R(0, 3), axes=[0], keepdim=False),
    ], every=3),
    Operation("amax", "torch.amax", reduction(torch.amax), "amax", reduced, EXTREMES),
    Operation("amin", "torch.amin", reduction(torch.amin), "amin", reduced, EXTREMES),
    Operation("max_axis", "torch.max(x, axis).values", largest, "max.reduction_with_dim", reduced_axis,
              [case(n, x, axis=a, keepdim=k) for n, x, a, k in FIRST_WINS]),
    Operation("argmax", "torch.argmax", lambda x, axis, keepdim: torch.argmax(x, axis, keepdim), "argmax", reduced_axis, [
        *[case(n, x, axis=a, keepdim=k) for n, x, a, k in FIRST_WINS],
        case("first of ties wins, flattened", T([[1.0, 4.0], [4.0, 0.0]]), axis=None, keepdim=False),
    ]),
    Operation("var", "torch.var", lambda x, axes, keepdim, correction:
              torch.var(x, dim=every_axis(x, axes), keepdim=keepdim, correction=correction), "var", variance, [
        case("population, last axis", R(3, 4), axes=[-1], keepdim=False, correction=0),
        case("sample, two axes kept", R(2, 3, 4), axes=[0, 2], keepdim=True, correction=1),
        case("away from zero", R(2, 6, low=100.0, high=101.0), axes=[1], keepdim=False, correction=1),
        case("equal values", T([[2.0, 2.0, 2.0]]), axes=[1], keepdim=False, correction=0),
        case("one value, population", T([[2.0], [3.0]]), axes=[1], keepdim=False, correction=0),
        case("one value, sample", T([[2.0], [3.0]]), axes=[1], keepdim=False, correction=1),
    ]),
    Operation("softmax", "torch.softmax", lambda x, axis: torch.softmax(x, axis), "softmax", along,
              [case(n, x, axis=a) for n, x, a in EXPONENTIALS]),
    Operation("log_softmax", "torch.log_softmax", lambda x, axis: torch.log_softmax(x, axis), "log_softmax", along,
              [case(n, x, axis=a) for n, x, a in EXPONENTIALS]),
    Operation("logsumexp", "torch.logsumexp", reduction(torch.logsumexp), "logsumexp", reduced, [
        *[case(n, x, axes=[a], keepdim=False) for n, x, a in EXPONENTIALS],
        case("all axes", R(2, 3), axes=[0, 1], keepdim=True),
        case("everything -inf", T([[-INF, -INF], [0.0, 0.0]]), axes=[1], keepdim=False),
        case("plus infinity", T([[INF, 0.0]]), axes=[1], keepdim=False),
    ]),
]

# -- contractions


def linear(x, weight, bias=None):
    return F.linear(x, weight, bias)


MATMULS = [
    ("dot", (4,), (4,)),
    ("matrix by vector", (3, 4), (4,)),
    ("vector by matrix", (4,), (4, 3)),
    ("matrix by matrix", (3, 4), (4, 2)),
    ("outer", (3, 1), (1, 4)),
    ("one by one", (1, 1), (1, 1)),
    ("batch by batch", (2, 3, 4), (2, 4, 2)),
    ("batch by matrix", (2, 3, 4), (4, 2)),
    ("matrix by batch", (3, 4), (2, 4, 2)),
    ("batch by vector", (2, 3, 4), (4,)),
    ("vector by batch", (4,), (2, 4, 3)),
    ("batch of one by batch", (1, 3, 4), (2, 4, 2)),
    ("batches broadcast both ways", (2, 1, 3, 4), (5, 4, 2)),
    ("rank 4", (2, 3, 2, 4), (2, 3, 4, 2)),
    ("empty inner", (2, 0), (0, 3)),
    ("empty rows", (0, 4), (4, 3)),
    ("empty batch", (0, 3, 4), (4, 2)),
    ("long inner", (2, 70), (70, 2)),
]

CONTRACTIONS = [
    Operation("matmul", "torch.matmul", torch.matmul, "matmul", plain, [case(n, R(*a), R(*b)) for n, a, b in MATMULS]),
    Operation("linear", "torch.nn.functional.linear", linear, "nn.functional.linear", plain, [
        case("one example", R(1, 6), R(5, 6), R(5)),
        case("one output", R(3, 4), R(1, 4), R(1)),
        case("no bias", R(3, 4), R(2, 4)),
        case("no inputs", R(3, 0), R(2, 0), R(2)),
    ]),
]

# -- losses

REDUCTION_NAMES = ("mean", "sum", "none")
PROBABILITIES = [0.0, 1e-45, 1e-300, 1e-13, 0.25, 0.5, 1 - 2.0**-53, 1.0]
LOGITS = [-1e4, -800.0, -40.0, -1.0, 0.0, 1.0, 40.0, 800.0, 1e4]
TARGETS = [0.0, 0.25, 1.0]
STRONG = T([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [1e4, 1e4, -1e4], [-1e4, -1e4, -1e4]])


def grid(xs, ys):
    """Every x with every y, as two matrices [x, y]."""
    return T([[x] * len(ys) for x in xs]), T([list(ys) for _ in xs])


def labelled(sample):
    """Classification samples without class weights, batched, at most rank 4; `targets` says which of the two kinds."""
    target = sample.args[0]
    if "weight" in sample.kwargs or not 2 <= sample.input.dim() <= 4:
        return None
    soft = target.dtype == torch.float64
    defaults = {"targets": "probabilities" if soft else "indices", "reduction": "mean", "ignore_index": None}
    return [sample.input, target], {**defaults, **sample.kwargs}


def plain_labelled(sample):
    """As `labelled`, for nll_loss: indices only, nothing ignored."""
    taken = labelled(sample)
    return taken and taken[1]["ignore_index"] is None and (taken[0], {"reduction": taken[1]["reduction"]}) or None


def cross_entropy(x, target, targets, reduction, ignore_index):
    ignored = -100 if ignore_index is None else ignore_index
    return F.cross_entropy(x, target, reduction=reduction, ignore_index=ignored)


def errors(name, function, **extra):
    """The regression losses: a grid of reductions, and targets of exactly the input or a kink away from it."""
    steps = T([-2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0])
    return Operation(name, f"torch.nn.functional.{name}_loss", function, f"nn.functional.{name}_loss",
                     options(reduction="mean", **extra), [
        *[case(f"matrix, {r}", R(3, 4), R(3, 4), reduction=r, **extra) for r in REDUCTION_NAMES],
        *[case(f"kinks, {r}", steps, T([0.0] * 8), reduction=r, **extra) for r in REDUCTION_NAMES],
        *[case(f"empty, {r}", R(0, 4), R(0, 4), reduction=r, **extra) for r in REDUCTION_NAMES],
        case("scalar", R(), R(), reduction="mean", **extra),
        *[case(f"kinks, {key} one half", steps, T([0.0] * 8), reduction="none", **{key: 0.5}) for key in extra],
    ])


def mse(x, y, reduction):
    return F.mse_loss(x, y, reduction=reduction)


LOSSES = [
    errors("mse", mse),
    errors("huber", lambda x, y, reduction, delta: F.huber_loss(x, y, reduction=reduction, delta=delta), delta=1.0),
    errors("smooth_l1", lambda x, y, reduction, beta: F.smooth_l1_loss(x, y, reduction=reduction, beta=beta), beta=1.0),
    Operation("cross_entropy", "torch.nn.functional.cross_entropy", cross_entropy, "nn.functional.cross_entropy", labelled, [
        *[case(f"{kind}, {n}, {r}", x, t, targets=kind, reduction=r, ignore_index=None)
          for kind, n, x, t in [
              ("indices", "matrix", R(4, 3), I([2, 0, 1, 2])),
              ("indices", "logits of 1e4", STRONG, I([0, 0, 1, 2])),
              ("indices", "one class", R(3, 1), I([0, 0, 0])),
              ("indices", "empty batch", R(0, 3), I([])),
              ("probabilities", "matrix", R(4, 3), Simplex((4, 3))),
              ("probabilities", "logits of 1e4", STRONG, Simplex((4, 3))),
              ("probabilities", "one-hot", R(2, 3), T([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])),
              ("probabilities", "rows do not sum to one", R(2, 3), T([[0.5, 1.0, 0.0], [0.25, 0.0, 0.25]])),
          ] for r in REDUCTION_NAMES],
        *[case(f"indices, ignored, {r}", R(4, 3), I([2, 0, 1, 0]), targets="indices", reduction=r, ignore_index=0)
          for r in REDUCTION_NAMES],
    ]),
    Operation("nll_loss", "torch.nn.functional.nll_loss", lambda x, target, reduction:
              F.nll_loss(x, target, reduction=reduction), "nn.functional.nll_loss", plain_labelled, [
        *[case(f"{n}, {r}", x, t, reduction=r)
          for n, x, t in [
              ("matrix", R(4, 3, low=-3.0, high=0.0), I([2, 0, 1, 2])),
              ("empty batch", R(0, 3), I([])),
          ] for r in REDUCTION_NAMES],
    ]),
    Operation("bce", "torch.nn.functional.binary_cross_entropy", lambda p, y, reduction:
              F.binary_cross_entropy(p, y, reduction=reduction), "nn.functional.binary_cross_entropy",
              options(reduction="mean"), [
        *[case(f"{n}, {r}", p, y, reduction=r)
          for n, (p, y) in [
              ("matrix", (R(3, 4, low=0.05, high=0.95), R(3, 4, low=0.0, high=1.0))),
              ("edges", grid(PROBABILITIES, TARGETS)),
              ("empty", (R(0, 4), R(0, 4))),
          ] for r in REDUCTION_NAMES],
    ]),
    Operation("bce_with_logits", "torch.nn.functional.binary_cross_entropy_with_logits", lambda x, y, reduction:
              F.binary_cross_entropy_with_logits(x, y, reduction=reduction),
              "nn.functional.binary_cross_entropy_with_logits", options(reduction="mean"), [
        *[case(f"{n}, {r}", p, y, reduction=r)
          for n, (p, y) in [
              ("matrix", (R(3, 4), R(3, 4, low=0.0, high=1.0))),
              ("edges", grid(LOGITS, TARGETS)),
              ("empty", (R(0, 4), R(0, 4))),
          ] for r in REDUCTION_NAMES],
    ]),
]

# -- shape moves


def sliced(x, ranges):
    index = [slice(None)] * x.dim()
    for r in ranges:
        index[r["axis"]] = slice(r["start"], r["stop"], r["step"])
    return x[tuple(index)]


def span(axis, start, stop, step=1):
    return {"axis": axis, "start": start, "stop": stop, "step": step}


def narrowed(sample):
    axis, start, length = sample.args
    if not isinstance(start, int):
        return None
    return [sample.input], {"ranges": [span(axis, start, start + length)]}


def padded(x, before, after, value):
    pairs = [width for pair in zip(reversed(before), reversed(after)) for width in pair]
    while pairs and not any(pairs[-2:]):  # PyTorch refuses a padding of 0 where the size is 0
        del pairs[-2:]
    return F.pad(x, pairs, "constant", value)


def padding(sample):
    """PyTorch's flat list, last axis first, as two lists over all axes; cropping and the twins with value 2 are left out."""
    widths, value = sample.args[0], (sample.args[2] if len(sample.args) > 2 else 0.0)
    if min(widths) < 0 or value == 2.0:
        return None
    widths = list(widths) + [0] * (2 * sample.input.dim() - len(widths))
    return [sample.input], {"before": widths[0::2][::-1], "after": widths[1::2][::-1], "value": value}


def expanded(sample):
    """Shapes spelled out: PyTorch's -1 (keep this axis) is replaced by the size."""
    shape = list(sample.args[0])
    return [sample.input], {"shape": list(sample.input.expand(shape).shape)}


MOVES = [
    Operation("reshape", "torch.reshape", lambda x, shape: torch.reshape(x, shape), "reshape",
              lambda s: ([s.input], {"shape": list(s.args[0])}), [
        case("flatten", R(2, 3, 4), shape=[24]),
        case("to scalar", R(1, 1), shape=[]),
        case("empty", R(0, 3), shape=[3, 0, 2]),
        case("inferred", R(2, 3, 4), shape=[2, -1]),
    ]),
    Operation("permute", "torch.permute", lambda x, axes: torch.permute(x, axes), "permute",
              lambda s: ([s.input], {"axes": list(s.args[0])}), [
        case("transpose", R(2, 3), axes=[1, 0]),
        case("cycle", R(2, 3, 4), axes=[2, 0, 1]),
        case("negative", R(2, 3, 4), axes=[-1, 0, -2]),
        case("identity", R(2, 3), axes=[0, 1]),
        case("empty", R(0, 3), axes=[1, 0]),
    ]),
    Operation("expand", "torch.Tensor.expand", lambda x, shape: x.expand(shape), "expand", expanded, [
        case("scalar", R(), shape=[2, 3]),
        case("row", R(3), shape=[2, 3]),
        case("column", R(2, 1), shape=[2, 3]),
        case("new and old axes", R(3, 1, 2), shape=[2, 3, 4, 2]),
        case("same", R(2, 3), shape=[2, 3]),
        case("to nothing", R(1, 3), shape=[0, 3]),
    ]),
    Operation("slice", "torch.Tensor.__getitem__", sliced, "narrow", narrowed, [
        case("start and stop", R(6, 3), ranges=[span(0, 1, 4)]),
        case("step 2", R(7), ranges=[span(0, 0, 7, 2)]),
        case("step 3 from 1", R(8), ranges=[span(0, 1, 8, 3)]),
        case("step past the stop", R(5), ranges=[span(0, 1, 3, 5)]),
        case("two axes", R(4, 5, 2), ranges=[span(0, 1, 3), span(1, 0, 5, 2)]),
        case("negative axis", R(2, 3, 5), ranges=[span(-1, 2, 5)]),
        case("from the end", R(6), ranges=[span(0, -3, -1)]),
        case("to the end", R(6), ranges=[span(0, 2, None)]),
        case("nothing", R(4, 2), ranges=[span(0, 2, 2)]),
        case("everything", R(3, 2), ranges=[]),
        case("of an empty tensor", R(0, 3), ranges=[span(1, 1, 3)]),
    ]),
    Operation("pad", "torch.nn.functional.pad(mode='constant')", padded, "nn.functional.pad.constant", padding, [
        case("one axis", R(3), before=[1], after=[2], value=0.0),
        case("matrix", R(2, 3), before=[1, 0], after=[0, 2], value=-1.5),
        case("outermost only", R(2, 3, 2), before=[2, 0, 0], after=[1, 0, 0], value=0.0),
        case("nothing", R(2, 3), before=[0, 0], after=[0, 0], value=7.0),
        case("huge value", R(2, 2), before=[1, 1], after=[0, 0], value=-1e308),
        case("empty grows", R(0, 2), before=[1, 0], after=[1, 1], value=3.0),
    ]),
    Operation("cat", "torch.cat", lambda *xs, axis: torch.cat(xs, axis), "cat",
              lambda s: (list(s.input), {"axis": s.kwargs.get("dim", 0)}), [
        case("one", R(2, 3), axis=0),
        case("three of different length", R(2, 1), R(2, 3), R(2, 2), axis=1),
        case("negative axis", R(2, 3, 1), R(2, 3, 2), axis=-1),
        case("empty in between", R(2, 2), R(0, 2), R(1, 2), axis=0),
    ]),
    Operation("stack", "torch.stack", lambda *xs, axis: torch.stack(xs, axis), "stack",
              lambda s: (list(s.input), {"axis": s.args[0]}), [
        case("scalars", R(), R(), R(), axis=0),
        case("middle", R(2, 3), R(2, 3), axis=1),
        case("axis -2", R(2, 3), R(2, 3), R(2, 3), axis=-2),
    ]),
    Operation("flip", "torch.flip", lambda x, axes: torch.flip(x, axes), "flip",
              lambda s: ([s.input], {"axes": list(s.kwargs["dims"])}), [
        case("vector", R(5), axes=[0]),
        case("both", R(2, 3), axes=[0, 1]),
        case("negative", R(2, 3, 2), axes=[-2]),
        case("none", R(2, 3), axes=[]),
    ]),
]

# -- selection


def gathered(sample):
    axis, index = sample.args
    return None if sample.input.dim() == 0 else ([sample.input, index], {"axis": axis})


def rows(sample):
    axis, index = sample.args
    return None if sample.input.dim() == 0 or axis != 0 else ([sample.input, index], {"axis": 0})


def one_hot(index, classes):
    return F.one_hot(index, classes)


SELECTION = [
    Operation("gather", "torch.gather", lambda x, index, axis: torch.gather(x, axis, index.long()), "gather", gathered, [
        case("axis 0", R(4, 3), I([[0, 3, 1], [2, 2, 0]]), axis=0),
        case("axis 1, repeated", R(2, 4), I([[0, 0, 3, 0, 1], [2, 2, 2, 2, 2]]), axis=1),
        case("negative axis", R(2, 2, 3), I([[[2], [0]], [[1], [1]]]), axis=-1),
        case("one per row", R(4, 3), I([[0], [2], [1], [2]]), axis=1),
        case("no index", R(2, 3), I([], (2, 0)), axis=1),
    ]),
    Operation("index_select", "torch.index_select", lambda x, index, axis: torch.index_select(x, axis, index),
              "index_select", rows, [
        case("rows", R(5, 3), I([4, 0, 2]), axis=0),
        case("rows repeated", R(3, 2), I([1, 1, 0, 1]), axis=0),
        case("rank 3", R(3, 2, 2), I([2, 0]), axis=0),
        case("vector", R(4), I([3, 3, 0]), axis=0),
        case("no rows", R(3, 2), I([]), axis=0),
    ]),
    Operation("embedding", "torch.nn.functional.embedding", lambda weight, index: F.embedding(index, weight),
              "nn.functional.embedding", plain, [
        case("scalar index", R(4, 3), I(2)),
        case("vector, repeated", R(4, 3), I([1, 3, 1, 1])),
        case("matrix", R(5, 2), I([[0, 4], [4, 2], [1, 1]])),
        case("no index", R(4, 3), I([], (0, 2))),
    ]),
    Operation("one_hot", "torch.nn.functional.one_hot", one_hot, "nn.functional.one_hot", lambda s:
              None if s.kwargs["num_classes"] < 0 else ([s.input], {"classes": s.kwargs["num_classes"]}), [
        case("scalar", I(1), classes=3),
        case("vector", I([0, 2, 1, 2]), classes=3),
        case("matrix", I([[0, 3], [1, 1]]), classes=4),
        case("one class", I([0, 0]), classes=1),
        case("empty", I([]), classes=3),
    ]),
]

# -- windows: batched samples only, every argument a list over the spatial axes


def per_axis(value, rank, default):
    """PyTorch's int, one-element list, empty list or None as one number per spatial axis."""
    if value is None or value == [] or value == ():
        return list(default)
    values = [value] if isinstance(value, int) else list(value)
    return values * rank if len(values) == 1 else values


def convolved(rank):
    def take(sample):
        if sample.input.dim() != rank + 2 or sample.kwargs.get("groups", 1) != 1:
            return None
        weight, given = sample.args[0], dict(sample.kwargs)
        dilation = per_axis(given.get("dilation"), rank, [1] * rank)
        same = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:])]
        if given.get("padding") == "same":
            pads = [[total // 2, total - total // 2] for total in same]
        else:
            asked = 0 if given.get("padding") == "valid" else given.get("padding")
            pads = [[p, p] for p in per_axis(asked, rank, [0] * rank)]
        stride = per_axis(given.get("stride"), rank, [1] * rank)
        inputs = [t for t in (sample.input, *sample.args) if t is not None]
        return inputs, {"stride": stride, "padding": pads, "dilation": dilation}

    return take


def convolve(function):
    def apply(x, weight, *bias, stride, padding, dilation):
        x = F.pad(x, [width for pair in reversed(padding) for width in pair])
        return function(x, weight, *bias, stride=stride, dilation=dilation)

    return apply


def pooled(rank, **defaults):
    """Pooling samples; `defaults` lists in PyTorch's order the options after kernel, stride and padding, of which only dilation is ours."""

    def take(sample):
        given = dict(zip(("kernel_size", "stride", "padding", *defaults), sample.args), **sample.kwargs)
        if sample.input.dim() != rank + 2 or given.pop("return_indices", False):
            return None
        if any(given.get(key, default) != default for key, default in defaults.items() if key != "dilation"):
            return None
        kernel = per_axis(given["kernel_size"], rank, [])
        arguments = {
            "kernel": kernel,
            "stride": per_axis(given.get("stride"), rank, kernel),
            "padding": per_axis(given.get("padding"), rank, [0] * rank),
        }
        if "dilation" in defaults:
            arguments["dilation"] = per_axis(given.get("dilation"), rank, [1] * rank)
        return [sample.input], arguments

    return take


def pool(function):
    return lambda x, kernel, **arguments: function(x, kernel, **arguments)


AVERAGE = {"ceil_mode": False, "count_include_pad": True}
LARGEST = {"dilation": 1, "ceil_mode": False}

WINDOWS = [
    Operation("conv1d", "torch.nn.functional.conv1d", convolve(F.conv1d), "nn.functional.conv1d", convolved(1), [
        case("one channel", R(2, 1, 9), R(3, 1, 4), stride=[1], padding=[[0, 0]], dilation=[1]),
        case("padding, stride and dilation, bias", R(3, 2, 11), R(4, 2, 3), R(4), stride=[2], padding=[[1, 3]], dilation=[2]),
        case("as long as the signal", R(1, 2, 4), R(1, 2, 4), stride=[3], padding=[[0, 0]], dilation=[1]),
    ]),
    Operation("conv2d", "torch.nn.functional.conv2d", convolve(F.conv2d), "nn.functional.conv2d", convolved(2), [
        case("one channel, bias", R(3, 1, 6, 5), R(2, 1, 3, 3), R(2), stride=[1, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1]),
        case("padded to the same size", R(2, 2, 5, 5), R(3, 2, 3, 3), stride=[1, 1], padding=[[1, 1], [1, 1]], dilation=[1, 1]),
        case("stride leaves a rest", R(2, 2, 6, 7), R(2, 2, 2, 3), stride=[3, 2], padding=[[0, 0], [0, 0]], dilation=[1, 1]),
        case("stride beyond the kernel", R(1, 2, 7, 8), R(2, 2, 1, 2), stride=[3, 4], padding=[[1, 0], [0, 2]], dilation=[1, 1]),
        case("stride and dilation", R(2, 1, 9, 8), R(2, 1, 3, 2), stride=[2, 3], padding=[[1, 2], [0, 1]], dilation=[2, 3]),
        case("one by one", R(2, 3, 3, 2), R(4, 3, 1, 1), stride=[1, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1]),
        case("more images than lanes", R(19, 1, 4, 4), R(2, 1, 2, 2), stride=[1, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1]),
    ]),
    Operation("max_pool1d", "torch.nn.functional.max_pool1d", pool(F.max_pool1d), "nn.functional.max_pool1d",
              pooled(1, **LARGEST), [
        case("first of ties wins", T([[[1.0, 1.0, 2.0, 2.0]]]), kernel=[2], stride=[1], padding=[0], dilation=[1]),
        case("dilated", R(2, 2, 9), kernel=[3], stride=[1], padding=[1], dilation=[3]),
    ], every=19),
    Operation("max_pool2d", "torch.nn.functional.max_pool2d", pool(F.max_pool2d), "nn.functional.max_pool2d",
              pooled(2, **LARGEST), [
        case("first of ties wins", T([[[[1.0, 2.0, 2.0], [2.0, 1.0, 2.0], [0.0, 0.0, 0.0]]]]),
             kernel=[2, 2], stride=[1, 1], padding=[0, 0], dilation=[1, 1]),
        case("not a number", T([[[[1.0, NAN, 2.0], [2.0, 1.0, NAN], [-INF, 0.0, INF]]]]),
             kernel=[2, 2], stride=[1, 1], padding=[0, 0], dilation=[1, 1]),
        case("padding never wins", R(1, 2, 4, 4, low=-2.0, high=-1.0), kernel=[3, 3], stride=[2, 2], padding=[1, 1], dilation=[1, 1]),
    ], every=19),
    Operation("avg_pool1d", "torch.nn.functional.avg_pool1d", pool(F.avg_pool1d), "nn.functional.avg_pool1d", pooled(1, **AVERAGE)),
    Operation("avg_pool2d", "torch.nn.functional.avg_pool2d", pool(F.avg_pool2d), "nn.functional.avg_pool2d",
              pooled(2, **AVERAGE, divisor_override=None), [
        case("halves", R(2, 3, 4, 6), kernel=[2, 2], stride=[2, 2], padding=[0, 0]),
        case("overlapping and padded", R(2, 2, 5, 6), kernel=[3, 4], stride=[2, 1], padding=[1, 2]),
        case("stride beyond the kernel", R(1, 2, 7, 7), kernel=[2, 1], stride=[3, 2], padding=[0, 0]),
        case("whole images", R(3, 2, 3, 4), kernel=[3, 4], stride=[3, 4], padding=[0, 0]),
    ]),
]

OPERATIONS = ELEMENTWISE + REDUCTIONS + CONTRACTIONS + LOSSES + MOVES + SELECTION + WINDOWS


# ---------------------------------------------------------------- running and writing

STORED = {
    torch.float64: ("float64", "<f8"),
    torch.int64: ("int32", "<i4"),
    torch.uint8: ("int32", "<i4"),
    torch.bool: ("bool", "|b1"),
}


def encode(tensor):
    if tensor is None:
        return None
    name, layout = STORED[tensor.dtype]
    data = tensor.detach().contiguous().numpy().astype(layout).tobytes()
    return {"type": name, "shape": list(tensor.shape), "data": base64.b64encode(data).decode("ascii")}


def stream(name):
    return torch.Generator().manual_seed(SEED + zlib.crc32(name.encode()))


def is_float(tensor):
    return tensor.dtype == torch.float64


def run(operation, name, inputs, arguments, source):
    """Runs one case forward and backward; the cotangent is uniform in [-1, 1)."""
    inputs = [x.detach().clone().contiguous().requires_grad_(is_float(x)) for x in inputs]
    output = operation.apply(*inputs, **arguments)
    cotangent, gradients = None, [None] * len(inputs)
    if is_float(output):
        cotangent = torch.rand(output.shape, dtype=torch.float64, generator=source) * 2 - 1
        wanted = [x for x in inputs if x.requires_grad]
        found = iter(torch.autograd.grad(output, wanted, cotangent))
        gradients = [next(found) if x.requires_grad else None for x in inputs]
    tensors = [*inputs, output, cotangent, *gradients]
    size = sum(t.numel() for t in tensors if t is not None)
    return size, {
        "name": name,
        "arguments": arguments,
        "inputs": [encode(x) for x in inputs],
        "output": encode(output),
        "cotangent": encode(cotangent),
        "gradients": [encode(g) for g in gradients],
    }


def opinfo_samples(infos, operation):
    seed = (SEED + zlib.crc32(operation.name.encode())) % 2**32
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)
    dtype = torch.int64 if operation.name == "one_hot" else torch.float64
    return list(infos[operation.samples].sample_inputs("cpu", dtype, requires_grad=dtype.is_floating_point))


def shapes(inputs):
    return " ".join(str(list(x.shape)).replace(" ", "") for x in inputs)


def run_all(infos, operation):
    """The operation's cases, OpInfo's first, and how many samples OpInfo had and how many were too large."""
    cases, accepted, large = [], 0, 0
    samples = opinfo_samples(infos, operation) if operation.samples else []
    for number, sample in enumerate(samples):
        taken = operation.take(sample)
        if not taken:
            continue
        accepted += 1
        if (accepted - 1) % operation.every:
            continue
        inputs, arguments = taken
        name = f"opinfo {number:02} {shapes(inputs)}"
        size, record = run(operation, name, inputs, arguments, stream(f"{operation.name}/{name}"))
        if size <= LARGEST_CASE:
            cases.append(record)
        else:
            large += 1
    for name, specifications, arguments in operation.cases:
        source = stream(f"{operation.name}/{name}")
        inputs = [s.make(source) for s in specifications]
        cases.append(run(operation, name, inputs, arguments, source)[1])
    names = [c["name"] for c in cases]
    assert len(set(names)) == len(names), f"{operation.name}: two cases of one name"
    return cases, len(samples), accepted, large


def write(path, header, **lists):
    """JSON with one line per entry of the lists, so that a changed number is a changed line."""
    lines = [f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in header.items()]
    for key, entries in lists.items():
        body = ",\n".join(json.dumps(entry, allow_nan=False) for entry in entries)
        lines.append(f"{json.dumps(key)}: [\n{body}\n]")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii", newline="\n")


def write_operations():
    infos = opinfos()
    print(f"{'operation':18}{'cases':>6}{'OpInfo':>8}{'usable':>8}{'large':>7}{'bytes':>9}")
    for operation in OPERATIONS:
        cases, total, accepted, large = run_all(infos, operation)
        path = DATA / f"{operation.name}.json"
        header = {"operation": operation.name, "function": operation.torch, "torch": VERSION, "seed": SEED}
        write(path, header, cases=cases)
        print(f"{operation.name:18}{len(cases):6}{total:8}{accepted:8}{large:7}{path.stat().st_size:9}")


def opinfos():
    """PyTorch's own operator samples. Their module wants `expecttest` for a base class of tests: an empty one will do."""
    substitute = types.ModuleType("expecttest")
    substitute.TestCase, substitute.ACCEPT = unittest.TestCase, False
    sys.modules.setdefault("expecttest", substitute)
    sys.argv = sys.argv[:1]  # the module reads the command line when imported
    from torch.testing._internal.common_methods_invocations import op_db

    return {op.name + (f".{op.variant_test_name}" if op.variant_test_name else ""): op for op in op_db}


# ---------------------------------------------------------------- trajectories

STEPS = 20
NETWORKS = {
    "mlp": [["linear", 6, 5], ["tanh"], ["linear", 5, 4]],
    "softmax": [["linear", 6, 4]],
}
SGD = {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
ADAM = {"lr": 0.001, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}
RMSPROP = {"lr": 0.01, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0, "centered": False}
OPTIMISERS = {
    "sgd": (torch.optim.SGD, SGD),
    "sgd-momentum": (torch.optim.SGD, {**SGD, "momentum": 0.9}),
    "sgd-nesterov": (torch.optim.SGD, {**SGD, "momentum": 0.9, "nesterov": True}),
    "sgd-weight-decay": (torch.optim.SGD, {**SGD, "weight_decay": 0.01}),
    "sgd-momentum-weight-decay": (torch.optim.SGD, {**SGD, "momentum": 0.9, "weight_decay": 0.01}),
    "adam": (torch.optim.Adam, ADAM),
    "adam-weight-decay": (torch.optim.Adam, {**ADAM, "lr": 0.01, "weight_decay": 0.01}),
    "adamw": (torch.optim.AdamW, {**ADAM, "lr": 0.01, "weight_decay": 0.01}),
    "rmsprop": (torch.optim.RMSprop, RMSPROP),
    "rmsprop-momentum": (torch.optim.RMSprop, {**RMSPROP, "momentum": 0.9}),
}


def network(layers):
    """A torch Sequential in float64 whose parameters are drawn from our stream, uniform in [-0.5, 0.5)."""
    source = stream(f"trajectories/{json.dumps(layers)}")
    made = [torch.nn.Linear(*size).double() if kind == "linear" else torch.nn.Tanh() for kind, *size in layers]
    model = torch.nn.Sequential(*made)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.rand(parameter.shape, dtype=torch.float64, generator=source) - 0.5)
    return model


def write_trajectories():
    source = stream("trajectories/examples")
    inputs = torch.rand((12, 6), dtype=torch.float64, generator=source) * 2 - 1
    targets = torch.arange(12) % 4
    for name, layers in NETWORKS.items():
        for title, (optimiser, settings) in OPTIMISERS.items():
            model = network(layers)
            initial = {key: encode(value) for key, value in model.state_dict().items()}
            steps = optimiser(model.parameters(), **settings)
            losses, history = [], {key: [] for key in initial}
            for _ in range(STEPS):
                steps.zero_grad()
                loss = F.cross_entropy(model(inputs), targets)
                loss.backward()
                steps.step()
                losses.append(loss.detach())
                for key, value in model.state_dict().items():
                    history[key].append(value.clone())
            header = {
                "trajectory": name,
                "optimiser": title,
                "function": f"torch.optim.{optimiser.__name__}",
                "torch": VERSION,
                "seed": SEED,
                "settings": settings,
                "layers": layers,
                "loss": "cross_entropy, mean over the examples",
                "steps": STEPS,
                "inputs": encode(inputs),
                "targets": encode(targets),
                "initial": initial,
                "losses": encode(torch.stack(losses)),
                "parameters": {key: encode(torch.stack(values)) for key, values in history.items()},
            }
            write(DATA / "trajectories" / f"{name}-{title}.json", header)


# ---------------------------------------------------------------- initialisation

LINEARS = [(1, 1), (3, 2), (4, 4), (5, 4), (6, 5), (64, 10), (100, 1), (256, 128), (784, 100)]


def asked_bounds(inputs, outputs):
    """The bounds of the uniform numbers that torch.nn.Linear asks for, weight first, taken from the calls it makes."""
    calls, original = [], torch.Tensor.uniform_

    def spy(tensor, low, high):
        calls.append((list(tensor.shape), low, high))
        return original(tensor, low, high)

    torch.Tensor.uniform_ = spy
    try:
        torch.nn.Linear(inputs, outputs)
    finally:
        torch.Tensor.uniform_ = original
    return calls


def write_initialisation():
    rows = []
    for inputs, outputs in LINEARS:
        (weight_shape, _, weight), (bias_shape, _, bias) = asked_bounds(inputs, outputs)
        rows.append({
            "inputs": inputs,
            "outputs": outputs,
            "weight": {"shape": weight_shape, "distribution": "uniform", "bound": weight},
            "bias": {"shape": bias_shape, "distribution": "uniform", "bound": bias},
        })
    write(DATA / "initialisation.json", {"layer": "linear", "function": "torch.nn.Linear", "torch": VERSION}, sizes=rows)


def main():
    parser = argparse.ArgumentParser(description="Writes PyTorch's numbers for Hybrid's conformance tests.")
    parser.parse_args()
    if not torch.__version__.startswith("1.13"):
        sys.exit(f"needs PyTorch 1.13.1, found {torch.__version__}")
    torch.set_num_threads(1)
    write_operations()
    write_trajectories()
    write_initialisation()


if __name__ == "__main__":
    main()
