namespace Hybrid.Kernels;

/// <summary>Kernels that compute each output element from the input elements at the same position.</summary>
/// <remarks>
/// <para>Addresses are those of the elements at position 0 of the space. Operand 0 of the space is the output, the inputs follow
/// in the order of the parameters. The output may be exactly one of the inputs (same address, same steps); any other overlap
/// is not allowed. Addresses need only the alignment of their element.</para>
/// <para>Every function is pure: an input value gives the same bits wherever it stands, at every register width and
/// for every number of threads. Only the payload of a NaN is not promised.</para>
/// </remarks>
public static unsafe partial class Elementwise
{
    private const long CheapGrain = 16384;

    /// <summary>y = op(x).</summary>
    /// <param name="op">The function.</param>
    /// <param name="type">Element type of y and x; see <see cref="UnaryOp"/> for the types a function has.</param>
    /// <param name="space">Space of the operands y, x.</param>
    /// <param name="y">Output.</param>
    /// <param name="x">Input.</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The function does not exist for the type.</exception>
    public static void Unary(UnaryOp op, ElementType type, IterationSpace space, nint y, nint x, WorkerPool pool) =>
        ElementFunction.Unary(op, type).Apply(space, pool, y, x);

    /// <summary>y = op(a, b).</summary>
    /// <param name="op">The function.</param>
    /// <param name="type">Element type of y, a and b; see <see cref="BinaryOp"/> for the types a function has.</param>
    /// <param name="space">Space of the operands y, a, b.</param>
    /// <param name="y">Output.</param>
    /// <param name="a">Left input.</param>
    /// <param name="b">Right input.</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The function does not exist for the type.</exception>
    public static void Binary(BinaryOp op, ElementType type, IterationSpace space, nint y, nint a, nint b, WorkerPool pool) =>
        ElementFunction.Binary(op, type).Apply(space, pool, y, a, b);

    /// <summary>y = op(a, b) as Bool.</summary>
    /// <param name="op">The comparison.</param>
    /// <param name="type">Element type of a and b; any.</param>
    /// <param name="space">Space of the operands y, a, b.</param>
    /// <param name="y">Output, Bool.</param>
    /// <param name="a">Left input.</param>
    /// <param name="b">Right input.</param>
    /// <param name="pool">Threads to use.</param>
    public static void Compare(CompareOp op, ElementType type, IterationSpace space, nint y, nint a, nint b, WorkerPool pool) =>
        ElementFunction.Compare(op, type).Apply(space, pool, y, a, b);

    /// <summary>y = condition ? a : b, bit for bit.</summary>
    /// <param name="type">Element type of y, a and b; any.</param>
    /// <param name="space">Space of the operands y, condition, a, b.</param>
    /// <param name="y">Output.</param>
    /// <param name="condition">Bool input.</param>
    /// <param name="a">Taken where the condition holds.</param>
    /// <param name="b">Taken elsewhere.</param>
    /// <param name="pool">Threads to use.</param>
    public static void Select(ElementType type, IterationSpace space, nint y, nint condition, nint a, nint b, WorkerPool pool) =>
        ElementFunction.Select(type).Apply(space, pool, y, condition, a, b);

    /// <summary>
    /// Binary cross-entropy of probabilities: y = -(t max(log p, -100) + (1 - t) max(log(1 - p), -100)), the clipped form of PyTorch;
    /// log(1 - p) is computed as log1p(-p).
    /// </summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="space">Space of the operands y, p, t.</param>
    /// <param name="y">Output.</param>
    /// <param name="p">Probabilities in [0, 1]; NaN outside.</param>
    /// <param name="t">Targets.</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void Bce(ElementType type, IterationSpace space, nint y, nint p, nint t, WorkerPool pool) =>
        ElementFunction.Bce(type).Apply(space, pool, y, p, t);
}
