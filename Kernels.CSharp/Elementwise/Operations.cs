namespace Hybrid.Kernels;

/// <summary>Functions of one number. Float32 and Float64 have all but <see cref="Not"/>.</summary>
public enum UnaryOp : byte
{
    /// <summary>-x. Also Int32.</summary>
    Negate,

    /// <summary>|x|. Also Int32.</summary>
    Abs,

    /// <summary>-1, 0 or 1; zero keeps its sign, NaN stays. Also Int32.</summary>
    Sign,

    /// <summary>e^x.</summary>
    Exp,

    /// <summary>Natural logarithm: -inf at zero, NaN below.</summary>
    Log,

    /// <summary>log(1 + x).</summary>
    Log1p,

    /// <summary>e^x - 1.</summary>
    Expm1,

    /// <summary>Square root, correctly rounded; NaN below zero.</summary>
    Sqrt,

    /// <summary>1 / x, correctly rounded.</summary>
    Reciprocal,

    /// <summary>Sine of x in radians.</summary>
    Sin,

    /// <summary>Cosine of x in radians.</summary>
    Cos,

    /// <summary>Hyperbolic tangent.</summary>
    Tanh,

    /// <summary>1 / (1 + e^-x).</summary>
    Sigmoid,

    /// <summary>x where x is above zero or NaN, else 0. Also Int32.</summary>
    Relu,

    /// <summary>x, or 0 where |x| is below the smallest normal number; NaN stays.</summary>
    Flush,

    /// <summary>The greatest integer not above x.</summary>
    Floor,

    /// <summary>x * x. Also Int32.</summary>
    Square,

    /// <summary>Logical not; Bool only.</summary>
    Not,
}

/// <summary>Functions of two numbers of one type. Float32 and Float64 have all but <see cref="And"/> and <see cref="Or"/>.</summary>
public enum BinaryOp : byte
{
    /// <summary>a + b. Also Int32 (wraps).</summary>
    Add,

    /// <summary>a - b. Also Int32 (wraps).</summary>
    Subtract,

    /// <summary>a * b. Also Int32 (wraps).</summary>
    Multiply,

    /// <summary>a / b.</summary>
    Divide,

    /// <summary>a to the power b, by the rules of <see cref="Math.Pow"/>.</summary>
    Power,

    /// <summary>The larger; NaN if either is NaN; b where they are equal. Also Int32.</summary>
    Maximum,

    /// <summary>The smaller; NaN if either is NaN; b where they are equal. Also Int32.</summary>
    Minimum,

    /// <summary>Logical and; Bool only.</summary>
    And,

    /// <summary>Logical or; Bool only.</summary>
    Or,
}

/// <summary>Comparisons of two numbers of one type (any type); comparing with NaN is false, except <see cref="NotEqual"/>.</summary>
public enum CompareOp : byte
{
    /// <summary>a = b.</summary>
    Equal,

    /// <summary>a is not b.</summary>
    NotEqual,

    /// <summary>a is below b.</summary>
    Less,

    /// <summary>a is below or equal to b.</summary>
    LessEqual,
}
