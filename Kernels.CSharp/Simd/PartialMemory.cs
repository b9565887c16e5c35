using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>Element-by-element moves, for the ends of rows on machines without masked loads and stores.</summary>
internal static unsafe class PartialMemory
{
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Copy<T>(T* source, T* target, int count)
        where T : unmanaged
    {
        for (int i = 0; i < count; i++)
        {
            target[i] = source[i];
        }
    }

    /// <summary>Turns bytes (0 or not) into lanes of all zeros or all ones.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void WidenMask<T>(byte* source, T* target, int count)
        where T : unmanaged
    {
        for (int i = 0; i < count; i++)
        {
            long lane = source[i] == 0 ? 0 : -1;
            if (sizeof(T) == 8)
            {
                ((long*)target)[i] = lane;
            }
            else
            {
                ((int*)target)[i] = (int)lane;
            }
        }
    }

    /// <summary>Turns bytes into numbers; T is float or double.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Convert<T>(byte* source, T* target, int count)
        where T : unmanaged
    {
        for (int i = 0; i < count; i++)
        {
            if (sizeof(T) == 8)
            {
                ((double*)target)[i] = source[i];
            }
            else
            {
                ((float*)target)[i] = source[i];
            }
        }
    }

    /// <summary>The lowest bits as bytes 0 and 1.</summary>
    public static void SpreadMask(ulong bits, byte* target, int count)
    {
        for (int i = 0; i < count; i++)
        {
            target[i] = (byte)((bits >> i) & 1);
        }
    }
}
