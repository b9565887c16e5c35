namespace Hybrid.Kernels;

/// <summary>The kinds of number a buffer can hold.</summary>
public enum ElementType : byte
{
    /// <summary>IEEE 754 single precision, 4 bytes: the default for values and gradients.</summary>
    Float32,

    /// <summary>IEEE 754 double precision, 8 bytes: used where gradients are checked.</summary>
    Float64,

    /// <summary>Signed integer, 4 bytes: labels and indices.</summary>
    Int32,

    /// <summary>Unsigned integer, 1 byte: images until they are gathered into a batch.</summary>
    UInt8,

    /// <summary>Truth value, 1 byte, 0 or 1: masks.</summary>
    Bool,
}

/// <summary>Facts about element types.</summary>
public static class ElementTypes
{
    /// <summary>Bytes taken by one element: 4 (Float32, Int32), 8 (Float64) or 1 (UInt8, Bool).</summary>
    /// <param name="type">The element type.</param>
    /// <exception cref="ArgumentOutOfRangeException">The value is none of the enumeration's.</exception>
    public static int Size(this ElementType type) =>
        type switch
        {
            ElementType.Float32 or ElementType.Int32 => 4,
            ElementType.Float64 => 8,
            ElementType.UInt8 or ElementType.Bool => 1,
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Unknown element type."),
        };
}
