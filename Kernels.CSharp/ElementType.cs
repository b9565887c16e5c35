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
