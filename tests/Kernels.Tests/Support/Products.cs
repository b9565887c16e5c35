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

    /// <summary>Checks bias with rectifier, and gate, on finished sums, with one thread and with three; B is transposed.</summary>
    public static void CheckEpilogue(int m, int n, int k, bool transposeA, float[] a, float[] b)
    {
        float[] bias = Values.Random<float>(n, 3);
        float[] gate = Values.Random<float>((long)m * n, 4);
        (gate[0], gate[^1]) = (0f, -0f);
        float[] sums = Chain(m, n, k, transposeA, true, a, b, transposeA ? m : k, k);
        float[] rectified = [.. sums.Select((sum, i) => Math.Max(sum + bias[i % n], 0))];
        float[] gated = [.. sums.Select((sum, i) => gate[i] <= 0 ? 0 : sum)];
        foreach (WorkerPool pool in new[] { WorkerPool.Serial, Three })
        {
            Values.SameBits<float>(rectified, Finished(bias, rectify: true, gate: null), $"rectified, A transposed: {transposeA}");
            Values.SameBits<float>(gated, Finished(bias: null, rectify: false, gate), $"gated, A transposed: {transposeA}");

            float[] Finished(float[]? bias, bool rectify, float[]? gate)
            {
                using Block<float> blockA = new(a);
                using Block<float> blockB = new(b);
                using Block<float> blockC = new(m * n);
                using Block<float> added = new(bias ?? []);
                using Block<float> gates = new(gate ?? []);
                MatrixProduct.RunBatched(
                    ElementType.Float32,
                    transposeA,
                    true,
                    m,
                    n,
                    k,
                    blockA.Pointer,
                    transposeA ? m : k,
                    0,
                    blockB.Pointer,
                    k,
                    0,
                    blockC.Pointer,
                    n,
                    0,
                    1,
                    pool,
                    bias is null ? 0 : added.Pointer,
                    rectify,
                    gate is null ? 0 : gates.Pointer
                );
                return blockC.ToArray();
            }
        }
    }
}
