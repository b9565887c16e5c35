namespace Hybrid.Core

open System
open System.Threading

/// A place in the tree of layers, kept as links so that entering a layer costs one object; the text is made when it is printed.
[<Sealed; AllowNullLiteral>]
type Scope internal (name: string, parent: Scope) =
    /// Where in the user's source the expression was built, such as `Program.cs:42`; null unless `Mode.Origins` was in force.
    member val internal Origin: string = null with get, set

    /// The scopes from the outermost inward, joined by `/`, and the origin if it is known: `net/2:Linear, built at Program.cs:42`.
    member this.Path: string =
        let path =
            if isNull parent then name
            elif isNull name then parent.Path
            else parent.Path + "/" + name

        match this.Origin with
        | null -> path
        | origin when String.IsNullOrEmpty path -> $"built at {origin}"
        | origin -> $"{path}, built at {origin}"

    /// A scope inside of the given one (null for none) that knows the first line outside of Hybrid on the stack.
    static member internal Here(parent: Scope) =
        let frames = System.Diagnostics.StackTrace(2, true).GetFrames()

        let outside (frame: System.Diagnostics.StackFrame) =
            match frame.GetMethod() with
            | null -> false
            | m when isNull m.DeclaringType -> false
            | m ->
                let assembly = m.DeclaringType.Assembly.GetName().Name

                not (isNull (frame.GetFileName()))
                && assembly <> "Hybrid.Core"
                && assembly <> "Hybrid.Layers"

        match Array.tryFind outside frames with
        | Some frame -> Scope(null, parent, Origin = $"{IO.Path.GetFileName(frame.GetFileName())}:{frame.GetFileLineNumber()}")
        | None -> parent

/// What is in force on the current thread: layer path, recording for the tape, training mode. Kept in one thread-static
/// object, since that costs a tenth of an AsyncLocal; forward passes are synchronous.
[<Sealed; AllowNullLiteral>]
type internal Context private () =
    [<ThreadStatic; DefaultValue>]
    static val mutable private current: Context

    static member Current =
        if isNull Context.current then
            Context.current <- Context()

        Context.current

    /// The innermost layer being run; null outside of layers.
    member val Scope: Scope = null with get, set

    /// False inside NoGrad: new nodes do not lead to parameters, and nothing is kept for a sweep.
    member val Recording = true with get, set

    /// Whether nodes note the line of the user's source that built them.
    member val Origins = false with get, set

    /// Training or evaluation mode.
    member val Training = true with get, set

    /// Nodes made on this thread so far.
    member val Serial = 0L with get, set

    /// The trace of the `compile` that is running on this thread, if any.
    member val Trace: obj = null with get, set

    /// The engine that evaluates on this thread, if not the default one.
    member val Engine: obj = null with get, set

    /// Where gradients that a manual backward reports go to; null means the parameters' own gradients.
    member val Sink: obj = null with get, set

    /// Scratch for the order of a graph that is run and forgotten; null while it is in use.
    member val Order: obj = null with get, set

    /// Scratch for the code of a graph whose plan is looked up.
    member val Code: System.Collections.Generic.List<int> = null with get, set

    /// The scope that a node made now belongs to.
    member this.Place = if this.Origins then Scope.Here this.Scope else this.Scope

    member this.Path =
        match this.Place with
        | null -> ""
        | s -> s.Path
