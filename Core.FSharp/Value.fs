namespace Hybrid.Core

open System
open System.Runtime.InteropServices
open System.Threading
open Hybrid.Kernels

/// Numbers as text, the same in every culture.
module internal Numbers =
    /// The shortest text that reads back as the same number.
    let text (x: float) =
        x.ToString("R", System.Globalization.CultureInfo.InvariantCulture)

/// An evaluated tensor: a block of memory, read row-major, that is never written again once an expression can see it.
[<Sealed; AllowNullLiteral>]
type Value internal (storage: Storage, shape: Shape, dtype: ElementType) =
    // Making one takes as long as it saves in two to four products (10 us for 128 x 784, of which it saves 3 to 7 in each).
    static let usesBeforeTransposing = 4

    let mutable transpose: Storage = null
    let mutable uses = 0

    /// The shape.
    member _.Shape = shape

    /// The element type.
    member _.DType = dtype

    member internal _.Storage = storage
    member internal _.Pointer = storage.Pointer

    /// The number of bytes that the elements take.
    member _.Bytes = shape.Size * int64 (dtype.Size())

    static member internal Allocate(shape: Shape, dtype: ElementType) =
        Value(Storage(shape.Size * int64 (dtype.Size())), shape, dtype)

    /// The address of a copy of this matrix with rows and columns exchanged, for a product that reads it so; 0 until enough products have asked, as
    /// weights that change from step to step would be copied each time. It lives as long as the value, or until `Forget`.
    member internal _.Transpose(pool: WorkerPool) : nativeint =
        uses <- uses + 1

        if isNull transpose && uses > usesBeforeTransposing then
            let rows, columns = shape[0], shape[1]
            let copy = Storage(shape.Size * int64 (dtype.Size()))

            let space =
                IterationSpace.Create(ReadOnlySpan [| columns; rows |], ReadOnlySpan<int64[]> [| [| int64 rows; 1L |]; [| 1L; int64 columns |] |])

            Elementwise.Copy(dtype, space, copy.Pointer, storage.Pointer, pool)
            // Where two threads make one at once, the first stays: what a run reads must be what the value keeps alive.
            Interlocked.CompareExchange(&transpose, copy, null) |> ignore

        match Volatile.Read &transpose with
        | null -> 0n
        | copy -> copy.Pointer

    /// Gives up what was made of the elements: they were written over.
    member internal _.Forget() =
        uses <- 0
        transpose <- null

    /// The same memory under another shape of the same size.
    member internal _.Reshaped(shape: Shape) = Value(storage, shape, dtype)

    /// A part of the same memory: the elements of a shape from a position on.
    member internal _.Part(start: int64, part: Shape) =
        let size = int64 (dtype.Size())
        Value(storage.Part(start * size, part.Size * size), part, dtype)

    member internal _.Span<'T when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>() : Span<'T> =
        MemoryMarshal.Cast<byte, 'T>(storage.Span).Slice(0, int shape.Size)

    // Reads the elements while the memory is certainly there: a span alone keeps nothing alive.
    member private this.Read<'T, 'R when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>(convert: 'T[] -> 'R) =
        let copy = this.Span<'T>().ToArray()
        GC.KeepAlive this
        convert copy


    static member internal TypeOf<'T>() =
        let t = typeof<'T>

        if t = typeof<float32> then
            ElementType.Float32
        elif t = typeof<float> then
            ElementType.Float64
        elif t = typeof<int> then
            ElementType.Int32
        elif t = typeof<byte> then
            ElementType.UInt8
        elif t = typeof<bool> then
            ElementType.Bool
        else
            raise (
                ElementTypeException(
                    "tensor",
                    "float32, float64, int32, uint8 or bool elements (Single, Double, Int32, Byte, Boolean)",
                    t.Name,
                    "",
                    "Convert the array first."
                )
            )

    /// A copy of a row-major array, under a shape of the same size. Throws ShapeException if the sizes differ.
    static member internal OfSpan<'T when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>
        (data: ReadOnlySpan<'T>, shape: Shape)
        =
        if int64 data.Length <> shape.Size then
            raise (
                ShapeException(
                    "tensor",
                    $"{shape.Size} elements for shape {shape}",
                    $"an array of {data.Length}",
                    "",
                    "Give the array the size that the shape names."
                )
            )

        let value = Value.Allocate(shape, Value.TypeOf<'T>())
        data.CopyTo(value.Span<'T>())
        GC.KeepAlive value
        value

    /// Refuses to hand the elements out as another type than their own.
    member internal _.Demand<'T>(operation: string) =
        if Value.TypeOf<'T>() <> dtype then
            raise (
                ElementTypeException(
                    operation,
                    $"the tensor's own element type, {Value.NameOf dtype}",
                    Value.NameOf(Value.TypeOf<'T>()),
                    "",
                    "Convert the tensor with To first, or ask for its own type."
                )
            )

    /// A copy of the elements in row-major order. Throws ElementTypeException if 'T is not the value's own type.
    member this.ToArray<'T when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>() : 'T[] =
        this.Demand<'T> "toArray"
        this.Read<'T, 'T[]> id

    /// Writes the elements in row-major order to memory of exactly their number. Throws ElementTypeException if 'T is not the value's own type,
    /// ShapeException if the memory has another length.
    member this.CopyTo<'T when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>(destination: Span<'T>) =
        this.Demand<'T> "copyTo"

        if int64 destination.Length <> shape.Size then
            raise (
                ShapeException(
                    "copyTo",
                    $"room for the {shape.Size} elements of shape {shape}",
                    $"a span of {destination.Length}",
                    "",
                    "Give a span of the tensor's size; Slice cuts a longer one."
                )
            )

        this.Span<'T>().CopyTo destination
        GC.KeepAlive this

    /// The elements as float64, whatever the type (bool as 0 and 1).
    member this.ToDoubles() : float[] =
        match dtype with
        | ElementType.Float32 -> this.Read<float32, float[]>(Array.map float)
        | ElementType.Float64 -> this.Read<float, float[]> id
        | ElementType.Int32 -> this.Read<int, float[]>(Array.map float)
        | _ -> this.Read<byte, float[]>(Array.map float)

    /// Some elements from a position on, as float64.
    member internal this.ReadDoubles(from: int, count: int) : float[] =
        let result =
            match dtype with
            | ElementType.Float32 -> Array.map float (this.Span<float32>().Slice(from, count).ToArray())
            | ElementType.Float64 -> this.Span<float>().Slice(from, count).ToArray()
            | ElementType.Int32 -> Array.map float (this.Span<int>().Slice(from, count).ToArray())
            | _ -> Array.map float (this.Span<byte>().Slice(from, count).ToArray())

        GC.KeepAlive this
        result

    /// The name of an element type as the documentation writes it: float32, float64, int32, uint8, bool.
    static member internal NameOf(dtype: ElementType) =
        match dtype with
        | ElementType.Float32 -> "float32"
        | ElementType.Float64 -> "float64"
        | ElementType.Int32 -> "int32"
        | ElementType.UInt8 -> "uint8"
        | _ -> "bool"
