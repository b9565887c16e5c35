using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary><see cref="Philox"/> for consecutive counters, one counter in each 64-bit lane.</summary>
internal static unsafe class PhiloxBlocks
{
    /// <summary>Writes the blocks of counters (first, stream), (first + 1, stream), ...: two words of 64 bits each, the lower one first.</summary>
    /// <param name="first">Lower half of the first counter.</param>
    /// <param name="stream">Upper half of every counter.</param>
    /// <param name="key">Key.</param>
    /// <param name="words">Output, 2 * <paramref name="blocks"/> words.</param>
    /// <param name="blocks">Number of blocks, a multiple of 8.</param>
    public static void Fill(ulong first, ulong stream, ulong key, ulong* words, int blocks)
    {
        if (CpuFeatures.Has512)
        {
            Fill<Simd512<double>, Vector512<double>>(first, stream, key, words, blocks);
        }
        else if (CpuFeatures.Has256)
        {
            Fill<Simd256<double>, Vector256<double>>(first, stream, key, words, blocks);
        }
        else
        {
            Fill<Simd128<double>, Vector128<double>>(first, stream, key, words, blocks);
        }
    }

    /// <summary>
    /// A lane holds a 32-bit word in its lower half; what the upper half holds does not matter, for the products read the lower half alone.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Fill<S, V>(ulong first, ulong stream, ulong key, ulong* words, int blocks)
        where S : ISimd<V, double>
        where V : unmanaged
    {
        ulong* counters = stackalloc ulong[8];
        ulong* low = stackalloc ulong[8];
        ulong* high = stackalloc ulong[8];
        V half = S.ConstBits(0xffffffff);
        for (int block = 0; block < blocks; block += S.Count)
        {
            for (int lane = 0; lane < S.Count; lane++)
            {
                counters[lane] = first + (ulong)(block + lane);
            }

            V x0 = S.Load((double*)counters);
            V x1 = S.BitsShiftRight(x0, 32);
            V x2 = S.ConstBits((long)stream);
            V x3 = S.BitsShiftRight(x2, 32);
            V key0 = S.ConstBits((long)(key & 0xffffffff));
            V key1 = S.ConstBits((long)(key >> 32));
            for (int round = 0; round < 10; round++)
            {
                V product0 = S.BitsMultiplyLow(x0, S.ConstBits(Philox.Multiplier0));
                V product1 = S.BitsMultiplyLow(x2, S.ConstBits(Philox.Multiplier1));
                x0 = S.Xor(S.Xor(S.BitsShiftRight(product1, 32), x1), key0);
                x1 = product1;
                x2 = S.Xor(S.Xor(S.BitsShiftRight(product0, 32), x3), key1);
                x3 = product0;
                key0 = S.BitsAdd(key0, S.ConstBits(Philox.Weyl0));
                key1 = S.BitsAdd(key1, S.ConstBits(Philox.Weyl1));
            }

            S.Store((double*)low, S.Or(S.And(x0, half), S.BitsShiftLeft(x1, 32)));
            S.Store((double*)high, S.Or(S.And(x2, half), S.BitsShiftLeft(x3, 32)));
            for (int lane = 0; lane < S.Count; lane++)
            {
                words[2 * (block + lane)] = low[lane];
                words[(2 * (block + lane)) + 1] = high[lane];
            }
        }
    }
}
