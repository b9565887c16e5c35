using System.Numerics;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>Matrix products by the kernel and by their definition.</summary>
internal static class Products
{
    private static readonly WorkerPool Three = new(3);

    /// <summary>Runs the kernel with padded rows; checks that the padding of C is untouched.</summary>
    public static T[] Run<T>(int m, int n, int k, bool transposeA, bool transposeB, int extra, T[] a, T[] b, WorkerPool pool)
        where T : unmanaged, INumberBase<T>
    {
        using Block<T> blockA = new(a, offset: 1);
        using Block<T> blockB = new(b, offset: 3);
        using Block<T> blockC = new(m * (n + extra), offset: 2);
        blockC.Span.Fill(T.CreateTruncating(77));
        MatrixProduct.Run(
            Values.TypeOf<T>(),
            transposeA,
            transposeB,
            m,
            n,
            k,
            blockA.Pointer,
            (transposeA ? m : k) + extra,
            blockB.Pointer,
            (transposeB ? k : n) + extra,
            blockC.Pointer,
            n + extra,
            pool
        );
        T[] c = new T[m * n];
        for (int i = 0; i < m; i++)
        {
            Span<T> row = blockC.Span.Slice(i * (n + extra), n + extra);
            row[..n].CopyTo(c.AsSpan(i * n));
            Assert.False(row[n..].ContainsAnyExcept(T.CreateTruncating(77)));
        }

        return c;
    }

    /// <summary>What rule R10 says: the chain of fused multiply-adds over all terms.</summary>
    public static T[] Chain<T>(int m, int n, int k, bool transposeA, bool transposeB, T[] a, T[] b, long lda, long ldb)
        where T : IFloatingPointIeee754<T>
    {
        T[] c = new T[m * n];
        for (int i = 0; i < m; i++)
        {
            for (int p = 0; p < k; p++)
            {
                T x = transposeA ? a[(p * lda) + i] : a[(i * lda) + p];
                for (int j = 0; j < n; j++)
                {
                    T y = transposeB ? b[(j * ldb) + p] : b[(p * ldb) + j];
                    c[(i * n) + j] = T.FusedMultiplyAdd(x, y, c[(i * n) + j]);
                }
            }
        }

        return c;
    }

    /// <summary>Checks bias, rectifier and gate, and what they are together, on finished sums; B is transposed. All memory ends at pages that cannot be read.</summary>
    public static void CheckEpilogue(int m, int n, int k, bool transposeA, float[] a, float[] b)
    {
        float[] bias = Values.Random<float>(n, 3);
        float[] gate = Values.Random<float>((long)m * n, 4);
        (gate[0], gate[^1]) = (0f, -0f);
        float[] sums = Chain(m, n, k, transposeA, true, a, b, transposeA ? m : k, k);
        for (int way = 1; way < 8; way++)
        {
            (bool adds, bool rectifies, bool gates) = ((way & 1) != 0, (way & 2) != 0, (way & 4) != 0);
            float[] expected = [.. sums.Select((sum, i) => Finished(adds ? sum + bias[i % n] : sum, rectifies, gates ? gate[i] : 1))];
            foreach (WorkerPool pool in new[] { WorkerPool.Serial, Three })
            {
                string what =
                    $"{m} x {n} x {k}, A transposed: {transposeA}, bias: {adds}, rectifier: {rectifies}, gate: {gates}, threads: {pool.Threads}";
                Values.SameBits<float>(expected, Run(adds ? bias : [], rectifies, gates ? gate : [], pool), what);
            }
        }

        static float Finished(float sum, bool rectifies, float gate) =>
            gate <= 0 ? 0
            : rectifies ? Math.Max(sum, 0)
            : sum;

        float[] Run(float[] bias, bool rectify, float[] gate, WorkerPool pool)
        {
            using LastPage pageA = new(a);
            using LastPage pageB = new(b);
            using LastPage pageC = new(new float[m * n]);
            using LastPage added = new(bias);
            using LastPage gates = new(gate);
            MatrixProduct.RunBatched(
                ElementType.Float32,
                transposeA,
                true,
                m,
                n,
                k,
                pageA.Pointer,
                transposeA ? m : k,
                0,
                pageB.Pointer,
                k,
                0,
                pageC.Pointer,
                n,
                0,
                1,
                pool,
                bias.Length == 0 ? 0 : added.Pointer,
                rectify,
                gate.Length == 0 ? 0 : gates.Pointer
            );
            return pageC.ToArray();
        }
    }
}
