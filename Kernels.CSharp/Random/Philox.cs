using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// The counter-based generator Philox 4x32 with 10 rounds: a bijection of 128-bit counters for each 64-bit key.
/// </summary>
/// <remarks>
/// J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
/// Tested against the known answers that its authors published with the Random123 library.
/// </remarks>
public static class Philox
{
    internal const uint Multiplier0 = 0xD2511F53;
    internal const uint Multiplier1 = 0xCD9E8D57;
    internal const uint Weyl0 = 0x9E3779B9;
    internal const uint Weyl1 = 0xBB67AE85;

    /// <summary>The 128 random bits that belong to a counter.</summary>
    /// <param name="counterLow">Words 0 (low half) and 1 of the counter.</param>
    /// <param name="counterHigh">Words 2 (low half) and 3 of the counter.</param>
    /// <param name="key">Words 0 (low half) and 1 of the key.</param>
    /// <returns>Words 0 (low half) and 1, then words 2 (low half) and 3 of the result.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (ulong Low, ulong High) Block(ulong counterLow, ulong counterHigh, ulong key)
    {
        uint x0 = (uint)counterLow;
        uint x1 = (uint)(counterLow >> 32);
        uint x2 = (uint)counterHigh;
        uint x3 = (uint)(counterHigh >> 32);
        uint key0 = (uint)key;
        uint key1 = (uint)(key >> 32);
        for (int round = 0; round < 10; round++)
        {
            ulong product0 = (ulong)Multiplier0 * x0;
            ulong product1 = (ulong)Multiplier1 * x2;
            x0 = (uint)(product1 >> 32) ^ x1 ^ key0;
            x1 = (uint)product1;
            x2 = (uint)(product0 >> 32) ^ x3 ^ key1;
            x3 = (uint)product0;
            key0 += Weyl0;
            key1 += Weyl1;
        }

        return (((ulong)x1 << 32) | x0, ((ulong)x3 << 32) | x2);
    }
}
