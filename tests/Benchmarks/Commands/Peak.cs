using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hybrid.Benchmarks.Commands;

/// <summary>What the machine can do at most: fused multiply-adds in registers, and moves from each level of memory.</summary>
internal static unsafe class Peak
{
    private const int Repeats = 7;
    private const double SecondsEach = 0.1;
    private const nuint Alignment = 4096;
    private const int BriefRepeats = 3;
    private const double BriefSeconds = 0.005;
    private static float sink;

    private static readonly (int Bits, bool There, Func<long, float> Loop)[] Loops =
    [
        (512, Avx512F.IsSupported, FusedLoops.Wide512),
        (256, Vector256.IsHardwareAccelerated, FusedLoops.Wide256),
        (128, Vector128.IsHardwareAccelerated, FusedLoops.Wide128),
    ];

    /// <summary>Thousand millions of operations in a second that fused multiply-adds in the widest registers make now, in some milliseconds.</summary>
    /// <param name="threads">How many threads work at once.</param>
    internal static double Brief(int threads)
    {
        var (bits, _, loop) = Loops.First(each => each.There);
        return Rate(threads, turns => () => sink += loop(turns), Operations(bits), BriefSeconds, BriefRepeats).Median;
    }

    /// <summary>Runs the command.</summary>
    /// <param name="threads">How many threads work at once.</param>
    internal static int Run(int threads)
    {
        Report.Line($"threads {threads}, load {Machine.Load()}: median and best of {Repeats}");
        foreach (var (bits, there, loop) in Loops)
        {
            if (!there)
            {
                Report.Line($"FMA float32 {bits} bits: not on this processor");
                continue;
            }
            var (median, best) = Rate(threads, turns => () => sink += loop(turns), Operations(bits));
            Report.Line($"FMA float32 {bits} bits   {median, 8:F1} GFLOP/s  best {best, 8:F1}");
        }
        foreach (
            var (place, floats) in new[] { ("L1, 24 KiB", 2048L), ("L2, 768 KiB", 65_536), ("L3, 12 MiB", 1 << 20), ("memory, 384 MiB", 32 << 20) }
        )
        {
            var arrays = Enumerable.Range(0, 3 * threads).Select(_ => (nint)Allocate(floats)).ToArray();
            var free = new System.Collections.Concurrent.ConcurrentStack<int>();
            var (median, best) = Rate(threads, Job, 12.0 * floats);
            Report.Line($"triad in {place, -16} {median, 7:F1} GB/s     best {best, 8:F1}");
            foreach (var array in arrays)
                NativeMemory.AlignedFree((void*)array);

            Action Job(long turns)
            {
                free.Clear();
                free.PushRange([.. Enumerable.Range(0, threads)]);
                return () =>
                {
                    free.TryPop(out var mine);
                    for (long turn = 0; turn < turns; turn++)
                        Triad((float*)arrays[3 * mine], (float*)arrays[(3 * mine) + 1], (float*)arrays[(3 * mine) + 2], floats);
                };
            }
        }
        return ExitCodes.Done;
    }

    /// <summary>Thousand millions of units in a second, all threads together, when each turn has so many units.</summary>
    private static (double Median, double Best) Rate(
        int threads,
        Func<long, Action> job,
        double units,
        double secondsEach = SecondsEach,
        int repeats = Repeats
    )
    {
        Seconds(1, job(1));
        long turns = 1;
        while (Seconds(1, job(turns)) is var spent && spent < secondsEach)
            turns = Math.Max(2 * turns, (long)Math.Min(turns * 10.0, turns * secondsEach / Math.Max(spent, 1e-9)));
        var rates = Enumerable.Range(0, repeats).Select(_ => threads * turns * units / Seconds(threads, job(turns)) / 1e9).ToArray();
        return (Machine.Median(rates), rates.Max());
    }

    // In a turn of a loop, for registers of so many bits.
    private static double Operations(int bits) => 2.0 * FusedLoops.Chains * bits / 32;

    private static double Seconds(int threads, Action work)
    {
        // On one processor a thread of its own might be done before this one looks at the clock.
        if (threads == 1)
        {
            var start = Stopwatch.GetTimestamp();
            work();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        using var gate = new Barrier(threads + 1);
        var workers = Enumerable.Range(0, threads).Select(_ => new Thread(Work)).ToArray();
        foreach (var worker in workers)
            worker.Start();
        gate.SignalAndWait();
        var clock = Stopwatch.StartNew();
        gate.SignalAndWait();
        var seconds = clock.Elapsed.TotalSeconds;
        foreach (var worker in workers)
            worker.Join();
        return seconds;

        void Work()
        {
            gate.SignalAndWait();
            work();
            gate.SignalAndWait();
        }
    }

    // 12 bytes for each element; what a store reads beforehand is not counted.
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveOptimization)]
    private static void Triad(float* a, float* b, float* c, long floats)
    {
        if (Avx512F.IsSupported)
        {
            var s = Vector512.Create(3f);
            for (long i = 0; i < floats; i += Vector512<float>.Count)
                Avx512F.StoreAligned(a + i, Avx512F.FusedMultiplyAdd(s, Avx512F.LoadAlignedVector512(c + i), Avx512F.LoadAlignedVector512(b + i)));
            return;
        }
        var t = Vector256.Create(3f);
        for (long i = 0; i < floats; i += Vector256<float>.Count)
            Vector256.FusedMultiplyAdd(t, Vector256.LoadAligned(c + i), Vector256.LoadAligned(b + i)).StoreAligned(a + i);
    }

    private static float* Allocate(long floats)
    {
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)floats * sizeof(float), Alignment);
        new Span<float>(memory, (int)floats).Fill(1);
        return memory;
    }
}
