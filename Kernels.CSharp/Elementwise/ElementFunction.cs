namespace Hybrid.Kernels;

/// <summary>
/// A function from elements to an element, compiled for the register width of this machine: what <see cref="Elementwise"/> applies to
/// whole spaces, and <see cref="FusedProgram"/> to one block after the other.
/// </summary>
/// <remarks>Every function is pure: an input value gives the same bits wherever it stands and whichever kernel applies it.</remarks>
public readonly unsafe struct ElementFunction
{
    private const long CheapGrain = 16384;
    private const long CostlyGrain = 4096;
    private const long ScalarGrain = 256;

    // A byte for each operand, the output lowest.
    private readonly uint sizes;

    private ElementFunction(ElementLoop loop, long grain, params ReadOnlySpan<int> sizes)
    {
        Loop = loop;
        Grain = grain;
        Arity = sizes.Length - 1;
        for (int i = 0; i < sizes.Length; i++)
        {
            this.sizes |= (uint)sizes[i] << (8 * i);
        }
    }

    /// <summary>Number of inputs.</summary>
    public int Arity { get; }

    /// <summary>Compiled loop over a segment.</summary>
    internal ElementLoop Loop { get; }

    /// <summary>Elements worth a part of their own.</summary>
    internal long Grain { get; }

    /// <summary>Bytes of an element of an operand, the output being operand 0.</summary>
    internal int Size(int operand) => (int)(sizes >> (8 * operand)) & 0xff;

    /// <summary>A function of one number.</summary>
    /// <param name="op">The function.</param>
    /// <param name="type">Element type of output and input; see <see cref="UnaryOp"/> for the types a function has.</param>
    /// <exception cref="NotSupportedException">The function does not exist for the type.</exception>
    public static ElementFunction Unary(UnaryOp op, ElementType type)
    {
        ElementLoop loop = type switch
        {
            ElementType.Float32 => Elementwise.FloatUnary<float>(op),
            ElementType.Float64 => Elementwise.FloatUnary<double>(op),
            ElementType.Int32 => Elementwise.IntUnary(op),
            ElementType.Bool when op == UnaryOp.Not => Elementwise.UnaryKernel<byte, NotFunction<byte>>(),
            _ => default,
        };
        long grain = op switch
        {
            UnaryOp.Sin or UnaryOp.Cos => ScalarGrain,
            UnaryOp.Exp or UnaryOp.Log or UnaryOp.Log1p or UnaryOp.Expm1 or UnaryOp.Tanh or UnaryOp.Sigmoid => CostlyGrain,
            _ => CheapGrain,
        };
        return new(Existing(loop, op, type), grain, type.Size(), type.Size());
    }

    /// <summary>A function of two numbers.</summary>
    /// <param name="op">The function.</param>
    /// <param name="type">Element type of output and inputs; see <see cref="BinaryOp"/> for the types a function has.</param>
    /// <exception cref="NotSupportedException">The function does not exist for the type.</exception>
    public static ElementFunction Binary(BinaryOp op, ElementType type)
    {
        ElementLoop loop = type switch
        {
            ElementType.Float32 => Elementwise.FloatBinary<float>(op),
            ElementType.Float64 => Elementwise.FloatBinary<double>(op),
            ElementType.Int32 => Elementwise.IntBinary(op),
            ElementType.Bool when op == BinaryOp.And => Elementwise.BinaryKernel<byte, AndFunction<byte>>(),
            ElementType.Bool when op == BinaryOp.Or => Elementwise.BinaryKernel<byte, OrFunction<byte>>(),
            _ => default,
        };
        int size = type.Size();
        return new(Existing(loop, op, type), op == BinaryOp.Power ? ScalarGrain : CheapGrain, size, size, size);
    }

    /// <summary>A comparison, its output Bool.</summary>
    /// <param name="op">The comparison.</param>
    /// <param name="type">Element type of the inputs; any.</param>
    public static ElementFunction Compare(CompareOp op, ElementType type)
    {
        ElementLoop loop = type switch
        {
            ElementType.Float32 => Elementwise.CompareKernel<float>(op),
            ElementType.Float64 => Elementwise.CompareKernel<double>(op),
            ElementType.Int32 => Elementwise.CompareKernel<int>(op),
            ElementType.UInt8 or ElementType.Bool => Elementwise.CompareKernel<byte>(op),
            _ => default,
        };
        return new(Existing(loop, op, type), CheapGrain, 1, type.Size(), type.Size());
    }

    /// <summary>Condition (Bool) ? a : b, bit for bit.</summary>
    /// <param name="type">Element type of output, a and b; any.</param>
    public static ElementFunction Select(ElementType type)
    {
        int size = type.Size();
        ElementLoop loop = size switch
        {
            1 => Elementwise.SelectKernel<byte>(),
            4 => Elementwise.SelectKernel<float>(),
            _ => Elementwise.SelectKernel<double>(),
        };
        return new(loop, CheapGrain, size, 1, size, size);
    }

    /// <summary>
    /// Binary cross-entropy of probabilities p and targets t: -(t max(log p, -100) + (1 - t) max(log(1 - p), -100)), the clipped form of
    /// PyTorch; log(1 - p) is computed as log1p(-p). NaN where a probability or a target is outside
    /// of [0, 1], and nowhere else.
    /// </summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static ElementFunction Bce(ElementType type)
    {
        ElementLoop loop = type switch
        {
            ElementType.Float32 => Elementwise.BinaryKernel<float, BceFunction<float>>(),
            ElementType.Float64 => Elementwise.BinaryKernel<double, BceFunction<double>>(),
            _ => default,
        };
        return new(Existing(loop, "Bce", type), CostlyGrain, type.Size(), type.Size(), type.Size());
    }

    /// <summary>
    /// The same number in another type. To Bool: 1 unless it is zero (NaN gives 1). To Int32 and UInt8: towards zero, limited to the
    /// type's range, NaN gives 0. To Float32: to nearest even.
    /// </summary>
    /// <param name="from">Element type of the input; any.</param>
    /// <param name="to">Element type of the output; any.</param>
    public static ElementFunction Cast(ElementType from, ElementType to)
    {
        ElementLoop loop = from switch
        {
            ElementType.Float32 => Elementwise.CastKernel<float>(to),
            ElementType.Float64 => Elementwise.CastKernel<double>(to),
            ElementType.Int32 => Elementwise.CastKernel<int>(to),
            ElementType.UInt8 or ElementType.Bool when to == ElementType.Float32 => Elementwise.BytesKernel<float>(),
            ElementType.UInt8 or ElementType.Bool when to == ElementType.Float64 => Elementwise.BytesKernel<double>(),
            ElementType.UInt8 or ElementType.Bool => Elementwise.CastKernel<byte>(to),
            _ => default,
        };
        return new(Existing(loop, "Cast", from), CostlyGrain, to.Size(), from.Size());
    }

    /// <summary>Applies the function to every position of a space.</summary>
    /// <param name="space">Space of the operands, the output first.</param>
    /// <param name="pool">Threads to use.</param>
    /// <param name="y">Address of the output. It may be exactly one of the inputs (same address, same steps); no other overlap is allowed.</param>
    /// <param name="inputs">Addresses of the inputs.</param>
    /// <exception cref="ArgumentException">The space does not have the function's number of operands.</exception>
    public void Apply(IterationSpace space, WorkerPool pool, nint y, params ReadOnlySpan<nint> inputs)
    {
        Span<(int, nint)> operands = stackalloc (int, nint)[Arity + 1];
        operands[0] = (Size(0), y);
        for (int i = 1; i <= Arity; i++)
        {
            operands[i] = (Size(i), inputs[i - 1]);
        }

        ElementwiseJob.Run(space, Loop.Run, operands, Grain, pool);
    }

    private static ElementLoop Existing<TOp>(ElementLoop loop, TOp op, ElementType type) =>
        loop.Run is not null ? loop : throw new NotSupportedException($"{op} does not exist for {type}.");
}
