using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>y = f(x) over a segment. The end of a run goes through the same registers, partly filled.</summary>
internal static unsafe class UnaryLoop<S, V, T, F>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
    where F : struct, IUnaryFunction<T>
{
    public static ElementLoop Loop => new(&Run, typeof(UnaryLoop<S, V, T, F>));

    /// <summary>The function of one register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Lanes(V x) => F.Invoke<S, V>(x);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(Segment* segment)
    {
        long count = segment->Count;
        for (long rows = segment->Rows; rows > 0; rows--)
        {
            T* y = (T*)segment->Address[0];
            T* x = (T*)segment->Address[1];
            V repeated = S.Broadcast(*x);
            long step = segment->Step[1] * S.Count;
            x = step == 0 ? (T*)&repeated : x;
            long i = 0;
            for (; i <= count - S.Count; i += S.Count)
            {
                S.Store(y + i, F.Invoke<S, V>(S.Load(x)));
                x += step;
            }

            if (i < count)
            {
                int rest = (int)(count - i);
                S.StorePart(y + i, F.Invoke<S, V>(S.LoadPart(x, rest, S.Zero)), rest);
            }

            segment->NextRow();
        }
    }
}

/// <summary>y = f(a, b) over a segment.</summary>
internal static unsafe class BinaryLoop<S, V, T, F>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
    where F : struct, IBinaryFunction<T>
{
    public static ElementLoop Loop => new(&Run, typeof(BinaryLoop<S, V, T, F>));

    /// <summary>The function of registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Lanes(V a, V b) => F.Invoke<S, V>(a, b);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(Segment* segment)
    {
        long count = segment->Count;
        if (count == S.Count && segment->Step[2] == 1)
        {
            Registers(segment);
            return;
        }

        for (long rows = segment->Rows; rows > 0; rows--)
        {
            T* y = (T*)segment->Address[0];
            T* a = (T*)segment->Address[1];
            T* b = (T*)segment->Address[2];
            V repeatedA = S.Broadcast(*a);
            V repeatedB = S.Broadcast(*b);
            long stepA = segment->Step[1] * S.Count;
            long stepB = segment->Step[2] * S.Count;
            a = stepA == 0 ? (T*)&repeatedA : a;
            b = stepB == 0 ? (T*)&repeatedB : b;
            long i = 0;
            for (; i <= count - S.Count; i += S.Count)
            {
                S.Store(y + i, F.Invoke<S, V>(S.Load(a), S.Load(b)));
                a += stepA;
                b += stepB;
            }

            if (i < count)
            {
                int rest = (int)(count - i);
                S.StorePart(y + i, F.Invoke<S, V>(S.LoadPart(a, rest, S.Zero), S.LoadPart(b, rest, S.Zero)), rest);
            }

            segment->NextRow();
        }
    }

    /// <summary>Rows of one register each, as images side by side have them where they are stepped through.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Registers(Segment* segment)
    {
        byte* y = (byte*)segment->Address[0];
        byte* a = (byte*)segment->Address[1];
        byte* b = (byte*)segment->Address[2];
        bool repeated = segment->Step[1] == 0;
        for (long rows = segment->Rows; rows > 0; rows--)
        {
            S.Store((T*)y, F.Invoke<S, V>(repeated ? S.Broadcast(*(T*)a) : S.Load((T*)a), S.Load((T*)b)));
            y += segment->RowStep[0];
            a += segment->RowStep[1];
            b += segment->RowStep[2];
        }
    }
}

/// <summary>y = cond ? a : b over a segment; cond is one byte for each element.</summary>
internal static unsafe class SelectLoop<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    public static ElementLoop Loop => new(&Run, typeof(SelectLoop<S, V, T>));

    /// <summary>The choice between registers by a mask.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Lanes(V condition, V a, V b) => S.Select(condition, a, b);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(Segment* segment)
    {
        byte* repeatedCondition = stackalloc byte[64];
        byte* lastCondition = stackalloc byte[64];
        long count = segment->Count;
        for (long rows = segment->Rows; rows > 0; rows--)
        {
            T* y = (T*)segment->Address[0];
            byte* condition = (byte*)segment->Address[1];
            T* a = (T*)segment->Address[2];
            T* b = (T*)segment->Address[3];
            V repeatedA = S.Broadcast(*a);
            V repeatedB = S.Broadcast(*b);
            new Span<byte>(repeatedCondition, 64).Fill(*condition);
            long stepCondition = segment->Step[1] * S.Count;
            long stepA = segment->Step[2] * S.Count;
            long stepB = segment->Step[3] * S.Count;
            condition = stepCondition == 0 ? repeatedCondition : condition;
            a = stepA == 0 ? (T*)&repeatedA : a;
            b = stepB == 0 ? (T*)&repeatedB : b;
            long whole = count / S.Count;
            Registers(y, condition, a, b, whole, stepCondition, stepA, stepB);
            if (whole * S.Count < count)
            {
                y += whole * S.Count;
                a += whole * stepA;
                b += whole * stepB;
                int rest = (int)(count - (whole * S.Count));
                PartialMemory.Copy(condition + (whole * stepCondition), lastCondition, rest);
                S.StorePart(y, S.Select(S.LoadMask(lastCondition), S.LoadPart(a, rest, S.Zero), S.LoadPart(b, rest, S.Zero)), rest);
            }

            segment->NextRow();
        }
    }

    /// <summary>Whole registers, in a method that calls nothing: its addresses then stay in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Registers(T* y, byte* condition, T* a, T* b, long count, long stepCondition, long stepA, long stepB)
    {
        for (T* end = y + (count * S.Count); y < end; y += S.Count)
        {
            S.Store(y, S.Select(S.LoadMask(condition), S.Load(a), S.Load(b)));
            condition += stepCondition;
            a += stepA;
            b += stepB;
        }
    }
}

/// <summary>y = f(a, b) as bytes 0 and 1 over a segment.</summary>
internal static unsafe class CompareLoop<S, V, T, F>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
    where F : struct, IBinaryFunction<T>
{
    public static ElementLoop Loop => new(&Run, typeof(CompareLoop<S, V, T, F>));

    /// <summary>The comparison of registers, as a mask.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Lanes(V a, V b) => F.Invoke<S, V>(a, b);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(Segment* segment)
    {
        long count = segment->Count;
        for (long rows = segment->Rows; rows > 0; rows--)
        {
            byte* y = (byte*)segment->Address[0];
            T* a = (T*)segment->Address[1];
            T* b = (T*)segment->Address[2];
            V repeatedA = S.Broadcast(*a);
            V repeatedB = S.Broadcast(*b);
            long stepA = segment->Step[1] * S.Count;
            long stepB = segment->Step[2] * S.Count;
            a = stepA == 0 ? (T*)&repeatedA : a;
            b = stepB == 0 ? (T*)&repeatedB : b;
            long i = 0;
            for (; i <= count - S.Count; i += S.Count)
            {
                S.StoreMask(y + i, F.Invoke<S, V>(S.Load(a), S.Load(b)));
                a += stepA;
                b += stepB;
            }

            if (i < count)
            {
                int rest = (int)(count - i);
                V mask = F.Invoke<S, V>(S.LoadPart(a, rest, S.Zero), S.LoadPart(b, rest, S.Zero));
                PartialMemory.SpreadMask(S.MaskBits(mask), y + i, rest);
            }

            segment->NextRow();
        }
    }
}
