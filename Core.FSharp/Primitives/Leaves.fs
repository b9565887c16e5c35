/// The primitives without a computation: data from outside of the graph, and boundaries that stand for their one input.
module internal Hybrid.Core.Leaves

open System
open Hybrid.Kernels

let private leaf name : Primitive = Primitive.define name Family.Leaf 0

/// A literal of a rule: part of a plan's key, compared by bits.
let constantPrimitive = leaf "constant"

/// A number that the host gives: bound at each run, so that a changed learning rate compiles nothing.
let scalarPrimitive = leaf "scalar"

/// An array, or one version of a cell.
let valuePrimitive = leaf "value"

/// An argument of a compiled function.
let placeholderPrimitive =
    { leaf "placeholder" with
        IsPlaceholder = true
    }

/// A cell, at whatever version is current when a plan runs: for steps that are run as soon as they are built.
let currentPrimitive = leaf "current"

let private boundary name text : Primitive =
    { Primitive.define name Family.Leaf 1 with
        Linear = Linearity.Jointly
        Text = text
        Latex = text
        View = ViewRule(fun _ layout -> layout)
        Vjp = Vjp(fun _ _ g -> g)
    }

/// A variable that a transform differentiates by: its input's value under a new identity.
let variablePrimitive = boundary "variable" "{0}"

/// An output of a Call.
let outputPrimitive = boundary "output" "{0}"

/// A value that sweeps do not look behind.
let stopPrimitive =
    { boundary "stopGradient" "{0}" with
        Vjp = Vjp(fun _ _ _ -> null)
        Linear = Linearity.None
        Kink = "treated as constant"
    }

let constant (dtype: ElementType) (value: float) =
    Node.MakeLeaf(constantPrimitive, BitConverter.DoubleToInt64Bits value, null, Shape.Scalar, dtype, null, false)

let scalar (dtype: ElementType) (value: float) =
    Node.MakeLeaf(scalarPrimitive, BitConverter.DoubleToInt64Bits value, null, Shape.Scalar, dtype, null, false)

let value (v: Value) =
    Node.MakeLeaf(valuePrimitive, 0L, null, v.Shape, v.DType, v, false)

let placeholder (shape: Shape) (dtype: ElementType) =
    Node.MakeLeaf(placeholderPrimitive, 0L, null, shape, dtype, null, false)

let variable (x: Node) =
    Node.MakeBoundary(variablePrimitive, null, x, true)

let stopGradient (x: Node) =
    Node.MakeCut(stopPrimitive, null, x, false)

/// The number of a constant or scalar.
let number (n: Node) =
    BitConverter.Int64BitsToDouble n.Attribute

/// The primitives of this family.
let all =
    [
        constantPrimitive
        scalarPrimitive
        valuePrimitive
        placeholderPrimitive
        currentPrimitive
        variablePrimitive
        outputPrimitive
        stopPrimitive
    ]
