using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// Random numbers as a pure function of key, stream and position (<see cref="Philox"/>): the same for any number of threads, and any part
/// of a buffer can be made alone.
/// </summary>
/// <remarks>
/// Counter block b of a stream has the counter (b, stream). Float32 element i takes word i mod 4 of block i / 4; Float64 element i takes 64
/// bits: words 0 and 1, or 2 and 3, of block i / 2. A normal pair takes two uniform numbers, elements 2j and 2j + 1.
/// </remarks>
public static unsafe class RandomBits
{
    private const long Grain = 4096;

    /// <summary>Counter blocks made at a time.</summary>
    private const int Batch = 64;

    /// <summary>64 random bits: the first half of block <paramref name="counter"/> of stream 0. For keys derived on the host.</summary>
    /// <param name="key">Seed.</param>
    /// <param name="counter">Position.</param>
    public static ulong NextBits(ulong key, ulong counter) => Philox.Block(counter, 0, key).Low;

    /// <summary>Uniform numbers in [0, 1): multiples of 2^-24 (Float32) or 2^-53 (Float64), each equally likely.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="y">Output, contiguous.</param>
    /// <param name="count">Number of elements.</param>
    /// <param name="key">Seed.</param>
    /// <param name="stream">Independent sequence of that seed.</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void Uniform(ElementType type, nint y, long count, ulong key, ulong stream, WorkerPool pool) =>
        Run(
            type == ElementType.Float32 ? &UniformSingle
                : type == ElementType.Float64 ? &UniformDouble
                : null,
            y,
            count,
            key,
            stream,
            pool
        );

    /// <summary>
    /// Standard normal numbers (mean 0, deviation 1) by Box and Muller (1958): a pair of uniform numbers u, v gives
    /// sqrt(-2 ln(1 - u)) cos(2 pi v) and the same with the sine. Computed in Float64 and rounded.
    /// </summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="y">Output, contiguous.</param>
    /// <param name="count">Number of elements.</param>
    /// <param name="key">Seed.</param>
    /// <param name="stream">Independent sequence of that seed.</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void Normal(ElementType type, nint y, long count, ulong key, ulong stream, WorkerPool pool) =>
        Run(
            type == ElementType.Float32 ? &NormalSingle
                : type == ElementType.Float64 ? &NormalDouble
                : null,
            y,
            count,
            key,
            stream,
            pool
        );

    /// <summary>Brings the items into a random order, every order equally likely (Fisher and Yates, as Durstenfeld 1964 gives it).</summary>
    /// <param name="items">Permuted in place.</param>
    /// <param name="key">Seed.</param>
    public static void Shuffle(Span<int> items, ulong key)
    {
        ulong counter = 0;
        for (int last = items.Length - 1; last > 0; last--)
        {
            int other = (int)Below((ulong)last + 1, key, ref counter);
            (items[last], items[other]) = (items[other], items[last]);
        }
    }

    /// <summary>
    /// An unbiased number below the limit: the high half of a 64 by 64-bit product, rejecting the few draws that would make some
    /// results likelier (D. Lemire, "Fast random integer generation in an interval", 2019).
    /// </summary>
    private static ulong Below(ulong limit, ulong key, ref ulong counter)
    {
        ulong rejected = (0 - limit) % limit;
        while (true)
        {
            ulong high = Math.BigMul(NextBits(key, counter++), limit, out ulong low);
            if (low >= rejected)
            {
                return high;
            }
        }
    }

    private static void Run(delegate* <int, nint, void> body, nint y, long count, ulong key, ulong stream, WorkerPool pool)
    {
        if (body is null)
        {
            throw new NotSupportedException("Random numbers are Float32 or Float64.");
        }

        RandomJob job = new(y, count, key, stream, Split.Parts(count, Grain, pool));
        pool.Run(job.Parts, body, (nint)(&job));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UniformSingle(int part, nint context)
    {
        RandomJob* job = (RandomJob*)context;
        (long from, long to) = Split.Range(job->Count, part, job->Parts, unit: 64);
        uint* words = stackalloc uint[Batch * 4];
        for (long at = from; at < to; at += Batch * 4)
        {
            PhiloxBlocks.Fill((ulong)(at / 4), job->Stream, job->Key, (ulong*)words, Batch);
            float* y = (float*)job->Y + at;
            long count = Math.Min(Batch * 4, to - at);
            for (long i = 0; i < count; i++)
            {
                y[i] = ToSingle(words[i]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UniformDouble(int part, nint context)
    {
        RandomJob* job = (RandomJob*)context;
        (long from, long to) = Split.Range(job->Count, part, job->Parts, unit: 64);
        ulong* words = stackalloc ulong[Batch * 2];
        for (long at = from; at < to; at += Batch * 2)
        {
            PhiloxBlocks.Fill((ulong)(at / 2), job->Stream, job->Key, words, Batch);
            double* y = (double*)job->Y + at;
            long count = Math.Min(Batch * 2, to - at);
            for (long i = 0; i < count; i++)
            {
                y[i] = ToDouble(words[i]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void NormalSingle(int part, nint context)
    {
        RandomJob* job = (RandomJob*)context;
        (long from, long to) = Split.Range(job->Count, part, job->Parts, unit: 64);
        uint* words = stackalloc uint[Batch * 4];
        for (long at = from; at < to; at += Batch * 4)
        {
            PhiloxBlocks.Fill((ulong)(at / 4), job->Stream, job->Key, (ulong*)words, Batch);
            float* y = (float*)job->Y + at;
            long count = Math.Min(Batch * 4, to - at);
            for (long i = 0; i < count; i += 2)
            {
                (double cosine, double sine) = BoxMuller(ToSingle(words[i]), ToSingle(words[i + 1]));
                y[i] = (float)cosine;
                if (i + 1 < count)
                {
                    y[i + 1] = (float)sine;
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void NormalDouble(int part, nint context)
    {
        RandomJob* job = (RandomJob*)context;
        (long from, long to) = Split.Range(job->Count, part, job->Parts, unit: 64);
        ulong* words = stackalloc ulong[Batch * 2];
        for (long at = from; at < to; at += Batch * 2)
        {
            PhiloxBlocks.Fill((ulong)(at / 2), job->Stream, job->Key, words, Batch);
            double* y = (double*)job->Y + at;
            long count = Math.Min(Batch * 2, to - at);
            for (long i = 0; i < count; i += 2)
            {
                (y[i], double sine) = BoxMuller(ToDouble(words[i]), ToDouble(words[i + 1]));
                if (i + 1 < count)
                {
                    y[i + 1] = sine;
                }
            }
        }
    }

    private static (double Cosine, double Sine) BoxMuller(double u, double v)
    {
        double radius = Math.Sqrt(-2 * Math.Log(1 - u));
        (double sine, double cosine) = Math.SinCos(2 * Math.PI * v);
        return (radius * cosine, radius * sine);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float ToSingle(uint bits) => (bits >> 8) * (1f / (1 << 24));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double ToDouble(ulong bits) => (bits >> 11) * (1.0 / (1UL << 53));

    private readonly record struct RandomJob(nint Y, long Count, ulong Key, ulong Stream, int Parts);
}
