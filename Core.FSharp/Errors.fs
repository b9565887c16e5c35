namespace Hybrid.Core

open System

/// What went wrong, in four parts that every error of Hybrid has: what was expected, what was got, where, and what to do.
/// The message reads `operation: expected E, got G (in layer/path). Advice.`
type HybridException(operation: string, expected: string, got: string, path: string, advice: string) =
    inherit Exception(HybridException.Compose(operation, expected, got, path, advice))

    /// The operation that refused its input, by the name it has in the documentation, such as `matmul`.
    member _.Operation = operation

    /// What was expected.
    member _.Expected = expected

    /// What was got instead.
    member _.Got = got

    /// The layer path where the expression was built, such as `net/2:Linear`; empty outside of any layer.
    member _.Path = path

    /// What the user can do about it.
    member _.Advice = advice

    static member private Compose(operation, expected, got, path, advice) =
        let place = if String.IsNullOrEmpty path then "" else $" (in {path})"
        let advice = if String.IsNullOrEmpty advice then "" else $" {advice}"
        $"{operation}: expected {expected}, got {got}{place}.{advice}"

/// Shapes that do not fit an operation; thrown when the expression is built.
type ShapeException(operation, expected, got, path, advice) =
    inherit HybridException(operation, expected, got, path, advice)

/// Element types that do not fit an operation, or that would mix silently; thrown when the expression is built.
type ElementTypeException(operation, expected, got, path, advice) =
    inherit HybridException(operation, expected, got, path, advice)

/// A value outside of an operation's domain, such as a label that is no class; thrown when the value is first seen.
type ValueException(operation, expected, got, path, advice) =
    inherit HybridException(operation, expected, got, path, advice)

/// A graph or tape used in a way it cannot be: reading a value inside `compile`, differentiating what a cell's write has released.
type TapeException(operation, expected, got, path, advice) =
    inherit HybridException(operation, expected, got, path, advice)

/// A cell refused a write: wrong shape or type, or two runs writing it at once.
type CellException(operation, expected, got, path, advice) =
    inherit HybridException(operation, expected, got, path, advice)
