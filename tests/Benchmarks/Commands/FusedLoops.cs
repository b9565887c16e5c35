using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hybrid.Benchmarks.Commands;

/// <summary>Loops of fused multiply-adds in registers alone: 12 chains each, more than two units of latency 4 can overlap.</summary>
internal static class FusedLoops
{
    /// <summary>Multiply-adds of vectors in one turn.</summary>
    internal const int Chains = 12;

    /// <summary>
    /// 512 bits; by the instruction set itself, as the kernels, since the portable operations avoid it on processors that slow down for it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static float Wide512(long turns)
    {
        var (x, y) = (Vector512.Create(0.999999f), Vector512.Create(1e-9f));
        var (a, b, c, d, e, f) = (x, x + y, x - y, x * y, y, -y);
        var (g, h, i, j, k, l) = (y + y, x + x, x * x, y * y, -x, x * 2);
        for (long turn = 0; turn < turns; turn++)
        {
            a = Avx512F.FusedMultiplyAdd(a, x, y);
            b = Avx512F.FusedMultiplyAdd(b, x, y);
            c = Avx512F.FusedMultiplyAdd(c, x, y);
            d = Avx512F.FusedMultiplyAdd(d, x, y);
            e = Avx512F.FusedMultiplyAdd(e, x, y);
            f = Avx512F.FusedMultiplyAdd(f, x, y);
            g = Avx512F.FusedMultiplyAdd(g, x, y);
            h = Avx512F.FusedMultiplyAdd(h, x, y);
            i = Avx512F.FusedMultiplyAdd(i, x, y);
            j = Avx512F.FusedMultiplyAdd(j, x, y);
            k = Avx512F.FusedMultiplyAdd(k, x, y);
            l = Avx512F.FusedMultiplyAdd(l, x, y);
        }
        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    /// <summary>256 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static float Wide256(long turns)
    {
        var (x, y) = (Vector256.Create(0.999999f), Vector256.Create(1e-9f));
        var (a, b, c, d, e, f) = (x, x + y, x - y, x * y, y, -y);
        var (g, h, i, j, k, l) = (y + y, x + x, x * x, y * y, -x, x * 2);
        for (long turn = 0; turn < turns; turn++)
        {
            a = Vector256.FusedMultiplyAdd(a, x, y);
            b = Vector256.FusedMultiplyAdd(b, x, y);
            c = Vector256.FusedMultiplyAdd(c, x, y);
            d = Vector256.FusedMultiplyAdd(d, x, y);
            e = Vector256.FusedMultiplyAdd(e, x, y);
            f = Vector256.FusedMultiplyAdd(f, x, y);
            g = Vector256.FusedMultiplyAdd(g, x, y);
            h = Vector256.FusedMultiplyAdd(h, x, y);
            i = Vector256.FusedMultiplyAdd(i, x, y);
            j = Vector256.FusedMultiplyAdd(j, x, y);
            k = Vector256.FusedMultiplyAdd(k, x, y);
            l = Vector256.FusedMultiplyAdd(l, x, y);
        }
        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    /// <summary>128 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static float Wide128(long turns)
    {
        var (x, y) = (Vector128.Create(0.999999f), Vector128.Create(1e-9f));
        var (a, b, c, d, e, f) = (x, x + y, x - y, x * y, y, -y);
        var (g, h, i, j, k, l) = (y + y, x + x, x * x, y * y, -x, x * 2);
        for (long turn = 0; turn < turns; turn++)
        {
            a = Vector128.FusedMultiplyAdd(a, x, y);
            b = Vector128.FusedMultiplyAdd(b, x, y);
            c = Vector128.FusedMultiplyAdd(c, x, y);
            d = Vector128.FusedMultiplyAdd(d, x, y);
            e = Vector128.FusedMultiplyAdd(e, x, y);
            f = Vector128.FusedMultiplyAdd(f, x, y);
            g = Vector128.FusedMultiplyAdd(g, x, y);
            h = Vector128.FusedMultiplyAdd(h, x, y);
            i = Vector128.FusedMultiplyAdd(i, x, y);
            j = Vector128.FusedMultiplyAdd(j, x, y);
            k = Vector128.FusedMultiplyAdd(k, x, y);
            l = Vector128.FusedMultiplyAdd(l, x, y);
        }
        return Vector128.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}
