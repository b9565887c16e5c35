namespace Hybrid.Kernels;

/// <summary>One product C = op(A) op(B), as addresses and steps in elements; transposition has become a choice of steps.</summary>
internal struct Product
{
    public nint A;

    /// <summary>From op(A)[i, p] to op(A)[i + 1, p].</summary>
    public long RowStepA;

    /// <summary>From op(A)[i, p] to op(A)[i, p + 1].</summary>
    public long ColumnStepA;
    public nint B;
    public long RowStepB;
    public long ColumnStepB;
    public nint C;
    public long RowStepC;

    /// <summary>From op(C)[i, j] to op(C)[i, j + 1]; 1 but where C is stored transposed.</summary>
    public long ColumnStepC;
    public int M;
    public int N;
    public int K;

    /// <summary>A number for each column to add to the sums, or 0 for none.</summary>
    public nint Bias;

    /// <summary>Whether results are then rectified.</summary>
    public bool Rectify;

    /// <summary>Bytes from C to the gates that lie as C does, or 0 for none.</summary>
    public nint Gate;

    /// <summary>Whether anything is to be done to finished sums.</summary>
    public readonly bool HasEpilogue => Bias != 0 || Rectify || Gate != 0;

    /// <summary>C^T = op(B)^T op(A)^T of the columns from one on, without an epilogue, in the same place. The products in each chain only swap their factors.</summary>
    public readonly Product Transposed(int firstColumn, int size) =>
        new()
        {
            A = B + (nint)(firstColumn * ColumnStepB * size),
            RowStepA = ColumnStepB,
            ColumnStepA = RowStepB,
            B = A,
            RowStepB = ColumnStepA,
            ColumnStepB = RowStepA,
            C = C + (nint)(firstColumn * ColumnStepC * size),
            RowStepC = ColumnStepC,
            ColumnStepC = RowStepC,
            M = N - firstColumn,
            N = M,
            K = K,
        };
}

/// <summary>One of a product's operands, or none.</summary>
internal enum Operand
{
    None,
    A,
    B,
}
