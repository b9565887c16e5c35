namespace Hybrid.Kernels;

/// <summary>
/// What an elementwise kernel gets: <see cref="Rows"/> runs of <see cref="Count"/> elements. Operand 0 is the output.
/// Steps along a run are in elements: 1 for the output, 0 or 1 for an input, unless the kernel said that it takes any.
/// </summary>
internal unsafe struct Segment
{
    public fixed long Address[IterationSpace.MaxOperands];

    /// <summary>Bytes from a run to the next.</summary>
    public fixed long RowStep[IterationSpace.MaxOperands];

    public fixed long Step[IterationSpace.MaxOperands];

    public long Rows;

    public long Count;

    /// <summary>Moves every operand to the next run.</summary>
    public void NextRow()
    {
        Address[0] += RowStep[0];
        Address[1] += RowStep[1];
        Address[2] += RowStep[2];
        Address[3] += RowStep[3];
    }
}
