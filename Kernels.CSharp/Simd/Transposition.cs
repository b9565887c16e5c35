using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Hybrid.Kernels;

/// <summary>Transposes small squares of memory in registers.</summary>
internal static unsafe class Transposition<T>
    where T : unmanaged
{
    /// <summary>Side of a square.</summary>
    public static int Side
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (Avx.IsSupported ? 32 : 16) / sizeof(T);
    }

    /// <summary>target[i * targetStep + j] = source[j * sourceStep + i] for all i and j below <see cref="Side"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Square(T* source, long sourceStep, T* target, long targetStep)
    {
        if (!Avx.IsSupported)
        {
            Small(source, sourceStep, target, targetStep);
        }
        else if (sizeof(T) == 4)
        {
            Eight((float*)source, sourceStep, (float*)target, targetStep);
        }
        else
        {
            Four((double*)source, sourceStep, (double*)target, targetStep);
        }
    }

    /// <summary>In registers of 128 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Small(T* source, long sourceStep, T* target, long targetStep)
    {
        if (sizeof(T) == 8)
        {
            Vector128<double> first = Vector128.Load((double*)source);
            Vector128<double> second = Vector128.Load((double*)(source + sourceStep));
            Vector128.Store(Low(first, second), (double*)target);
            Vector128.Store(High(first, second), (double*)(target + targetStep));
            return;
        }

        Vector128<float> a = Vector128.Load((float*)source);
        Vector128<float> b = Vector128.Load((float*)(source + sourceStep));
        Vector128<float> c = Vector128.Load((float*)(source + (2 * sourceStep)));
        Vector128<float> d = Vector128.Load((float*)(source + (3 * sourceStep)));
        Vector128<double> abLow = Low(a, b).AsDouble();
        Vector128<double> abHigh = High(a, b).AsDouble();
        Vector128<double> cdLow = Low(c, d).AsDouble();
        Vector128<double> cdHigh = High(c, d).AsDouble();
        Vector128.Store(Low(abLow, cdLow).AsSingle(), (float*)target);
        Vector128.Store(High(abLow, cdLow).AsSingle(), (float*)(target + targetStep));
        Vector128.Store(Low(abHigh, cdHigh).AsSingle(), (float*)(target + (2 * targetStep)));
        Vector128.Store(High(abHigh, cdHigh).AsSingle(), (float*)(target + (3 * targetStep)));
    }

    /// <summary>Halves of rows j and j + 4 meet as they are loaded, so that no value has to cross the halves of a register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Eight(float* source, long sourceStep, float* target, long targetStep)
    {
        for (int half = 0; half < 2; half++)
        {
            Vector256<float> a = Halves(source, sourceStep);
            Vector256<float> b = Halves(source + sourceStep, sourceStep);
            Vector256<float> c = Halves(source + (2 * sourceStep), sourceStep);
            Vector256<float> d = Halves(source + (3 * sourceStep), sourceStep);
            Vector256<double> abLow = Avx.UnpackLow(a, b).AsDouble();
            Vector256<double> abHigh = Avx.UnpackHigh(a, b).AsDouble();
            Vector256<double> cdLow = Avx.UnpackLow(c, d).AsDouble();
            Vector256<double> cdHigh = Avx.UnpackHigh(c, d).AsDouble();
            Avx.Store(target, Avx.UnpackLow(abLow, cdLow).AsSingle());
            Avx.Store(target + targetStep, Avx.UnpackHigh(abLow, cdLow).AsSingle());
            Avx.Store(target + (2 * targetStep), Avx.UnpackLow(abHigh, cdHigh).AsSingle());
            Avx.Store(target + (3 * targetStep), Avx.UnpackHigh(abHigh, cdHigh).AsSingle());
            source += 4;
            target += 4 * targetStep;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Halves(float* row, long step) => Vector256.Create(Vector128.Load(row), Vector128.Load(row + (4 * step)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(double* source, long sourceStep, double* target, long targetStep)
    {
        for (int half = 0; half < 2; half++)
        {
            Vector256<double> a = Vector256.Create(Vector128.Load(source), Vector128.Load(source + (2 * sourceStep)));
            Vector256<double> b = Vector256.Create(Vector128.Load(source + sourceStep), Vector128.Load(source + (3 * sourceStep)));
            Avx.Store(target, Avx.UnpackLow(a, b));
            Avx.Store(target + targetStep, Avx.UnpackHigh(a, b));
            source += 2;
            target += 2 * targetStep;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Low(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a[0], b[0], a[1], b[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> High(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a[2], b[2], a[3], b[3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<double> Low(Vector128<double> a, Vector128<double> b) =>
        Sse2.IsSupported ? Sse2.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a[0], b[0]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<double> High(Vector128<double> a, Vector128<double> b) =>
        Sse2.IsSupported ? Sse2.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a[1], b[1]);
}
