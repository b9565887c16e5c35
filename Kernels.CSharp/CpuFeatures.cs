using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Hybrid.Kernels;

/// <summary>What the kernels found on this machine.</summary>
/// <remarks>
/// The runtime's own <c>Vector512.IsHardwareAccelerated</c> is false on processors that lower their clock for 512-bit code,
/// although the instructions are there; for these kernels the wider registers won by measurement, so the instruction set decides.
/// </remarks>
public static class CpuFeatures
{
    /// <summary>Width of the registers in use, in bits: 512, 256 or 128. Results do not depend on it.</summary>
    public static int VectorBits =>
        Has512 ? 512
        : Has256 ? 256
        : 128;

    /// <summary>
    /// Whether fused multiply-add is an instruction here. Without it the kernels call <see cref="Math.FusedMultiplyAdd(double, double, double)"/>
    /// lane by lane: the same bits, many times slower.
    /// </summary>
    public static bool HasFusedMultiplyAdd => Fma.IsSupported || System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported;

    internal static bool Has512
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Avx512F.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported;
    }

    internal static bool Has256
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Avx2.IsSupported && Fma.IsSupported;
    }
}
