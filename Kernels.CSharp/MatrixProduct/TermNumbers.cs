using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hybrid.Kernels;

/// <summary>Lists of terms, as their numbers side by side, from bits that say which of them are not zero.</summary>
internal static unsafe class TermNumbers
{
    /// <summary>The numbers of the looks that have any of some bits, and how many they are. Up to 15 more looks may be read, and as many more numbers written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int List(ushort* looks, int bits, int depth, ushort* numbers)
    {
        int count = 0;
        if (!CpuFeatures.Has512)
        {
            for (int term = 0; term < depth; term++)
            {
                // Without a branch, as nothing could foretell it.
                numbers[count] = (ushort)term;
                count += (int)((uint)-(looks[term] & bits) >> 31);
            }

            return count;
        }

        Vector512<int> wanted = Vector512.Create(bits);
        for (int term = 0; term < depth; term += Vector512<int>.Count)
        {
            Vector512<int> some = Avx512F.ConvertToVector512Int32(Vector256.Load(looks + term)) & wanted;
            some = Simd512<int>.FirstLanes(Math.Min(Vector512<int>.Count, depth - term)) & some;
            count += Simd512<int>.StoreNumbers(numbers + count, term, ~Vector512.Equals(some, Vector512<int>.Zero));
        }

        return count;
    }

    /// <summary>Stores first + bit for each of the lowest <paramref name="count"/> bits that is set, side by side, and says how many they are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Store(ushort* target, int first, ulong bits, int count)
    {
        int stored = 0;
        for (int i = 0; i < count; i++)
        {
            // Without a branch, as nothing could foretell it.
            target[stored] = (ushort)(first + i);
            stored += (int)(bits & 1);
            bits >>= 1;
        }

        return stored;
    }
}
