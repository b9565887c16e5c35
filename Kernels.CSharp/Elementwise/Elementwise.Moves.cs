using System.Numerics;

namespace Hybrid.Kernels;

/// <content>Copies, conversions and fills.</content>
public static unsafe partial class Elementwise
{
    /// <summary>y = x, bit for bit, with any steps on both sides (transposition, slices, broadcasting, reversal).</summary>
    /// <param name="type">Element type; any.</param>
    /// <param name="space">Space of the operands y, x.</param>
    /// <param name="y">Output.</param>
    /// <param name="x">Input.</param>
    /// <param name="pool">Threads to use.</param>
    public static void Copy(ElementType type, IterationSpace space, nint y, nint x, WorkerPool pool)
    {
        int size = type.Size();
        ElementwiseJob.Run(space, CopyKernel(size), [(size, y), (size, x)], CheapGrain, pool, anyStep: true);
    }

    /// <summary>
    /// y = x in another type. To Bool: 1 unless x is zero (NaN gives 1). To Int32 and UInt8: towards zero, limited to the
    /// type's range, NaN gives 0. To Float32: to nearest even.
    /// </summary>
    /// <param name="from">Element type of x; any.</param>
    /// <param name="to">Element type of y; any.</param>
    /// <param name="space">Space of the operands y, x.</param>
    /// <param name="y">Output; may be x only where both types have the same size.</param>
    /// <param name="x">Input.</param>
    /// <param name="pool">Threads to use.</param>
    public static void Cast(ElementType from, ElementType to, IterationSpace space, nint y, nint x, WorkerPool pool) =>
        ElementFunction.Cast(from, to).Apply(space, pool, y, x);

    /// <summary>Sets count elements from y on to one value, converted as by <see cref="Cast"/> from Float64.</summary>
    /// <param name="type">Element type; any.</param>
    /// <param name="y">Output, contiguous.</param>
    /// <param name="count">Number of elements.</param>
    /// <param name="value">The value.</param>
    /// <param name="pool">Threads to use.</param>
    public static void Fill(ElementType type, nint y, long count, double value, WorkerPool pool)
    {
        long bits = 0;
        switch (type)
        {
            case ElementType.Float32:
                *(float*)&bits = (float)value;
                break;
            case ElementType.Float64:
                *(double*)&bits = value;
                break;
            case ElementType.Int32:
                *(int*)&bits = int.CreateSaturating(value);
                break;
            case ElementType.UInt8:
                *(byte*)&bits = byte.CreateSaturating(value);
                break;
            default:
                *(byte*)&bits = value != 0 ? (byte)1 : (byte)0;
                break;
        }

        FillJob job = new(y, count, bits, type.Size(), Split.Parts(count, CheapGrain, pool));
        pool.Run(job.Parts, &FillPart, (nint)(&job));
    }

    internal static delegate* <Segment*, void> CopyKernel(int size) =>
        size switch
        {
            1 => &CopyLoop<byte>.Run,
            4 => &CopyLoop<int>.Run,
            _ => &CopyLoop<long>.Run,
        };

    private static void FillPart(int part, nint context)
    {
        FillJob* job = (FillJob*)context;
        (long from, long to) = Split.Range(job->Count, part, job->Parts, unit: 64);
        while (from < to)
        {
            int count = (int)Math.Min(to - from, 1 << 20);
            nint start = job->Target + (nint)(from * job->Size);
            switch (job->Size)
            {
                case 1:
                    new Span<byte>((void*)start, count).Fill((byte)job->Bits);
                    break;
                case 4:
                    new Span<int>((void*)start, count).Fill((int)job->Bits);
                    break;
                default:
                    new Span<long>((void*)start, count).Fill(job->Bits);
                    break;
            }

            from += count;
        }
    }

    internal static ElementLoop CastKernel<TFrom>(ElementType to)
        where TFrom : unmanaged, INumberBase<TFrom> =>
        to switch
        {
            ElementType.Float32 => new(&CastLoop<TFrom, float>.Run, null),
            ElementType.Float64 => new(&CastLoop<TFrom, double>.Run, null),
            ElementType.Int32 => new(&CastLoop<TFrom, int>.Run, null),
            ElementType.UInt8 => new(&CastLoop<TFrom, byte>.Run, null),
            ElementType.Bool => new(&CastLoop<TFrom, byte>.RunToBool, null),
            _ => default,
        };

    private readonly record struct FillJob(nint Target, long Count, long Bits, int Size, int Parts);
}
