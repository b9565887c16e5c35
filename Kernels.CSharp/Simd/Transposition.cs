using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
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
            Plain(source, sourceStep, target, targetStep);
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Plain(T* source, long sourceStep, T* target, long targetStep)
    {
        for (int i = 0; i < Side; i++)
        {
            for (int j = 0; j < Side; j++)
            {
                target[(i * targetStep) + j] = source[(j * sourceStep) + i];
            }
        }
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
}
