using System.Diagnostics;
using System.Runtime.CompilerServices;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>Fork and join: every part once, from any number of callers, with failures, and an end without disposal.</summary>
public sealed unsafe class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(33)]
    public void Every_part_runs_exactly_once(int threads)
    {
        WorkerPool pool = new(threads);
        Assert.Equal(threads, pool.Threads);
        foreach (int parts in new[] { 0, 1, 2, 3, 17, 1000 })
        {
            for (int repeat = 0; repeat < 20; repeat++)
            {
                int[] hits = Count(pool, parts);
                Assert.All(hits, n => Assert.Equal(1, n));
            }
        }
    }

    /// <summary>Many short jobs in a row: a worker that comes late must never run a part of the wrong job, or one twice.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    public void A_hundred_thousand_short_jobs_keep_their_parts(int threads)
    {
        WorkerPool pool = new(threads);
        long total = 0;
        for (int job = 0; job < 100_000; job++)
        {
            Sum sum = new() { Weight = job };
            pool.Run(3, &Add, (nint)(&sum));
            Assert.Equal(3L * job, sum.Total);
            total++;
        }

        Assert.Equal(100_000, total);

        static void Add(int part, nint context)
        {
            Sum* sum = (Sum*)context;
            Interlocked.Add(ref sum->Total, sum->Weight);
        }
    }

    [Fact]
    public void Several_threads_may_call_at_once()
    {
        WorkerPool pool = new(3);
        int failures = 0;
        Thread[] callers =
        [
            .. Enumerable
                .Range(0, 6)
                .Select(_ => new Thread(() =>
                {
                    for (int i = 0; i < 2000; i++)
                    {
                        if (Count(pool, 5).Any(n => n != 1))
                        {
                            Interlocked.Increment(ref failures);
                        }
                    }
                })),
        ];
        Array.ForEach(callers, thread => thread.Start());
        Assert.All(callers, thread => Assert.True(thread.Join(TimeSpan.FromSeconds(60))));
        Assert.Equal(0, failures);
    }

    [Fact]
    public void A_job_inside_a_part_runs()
    {
        Nested.Pool = new WorkerPool(2);
        int total = 0;
        Nested.Pool.Run(4, &Outer, (nint)(&total));
        Assert.Equal(12, total);

        static void Outer(int part, nint context) => Nested.Pool!.Run(3, &Inner, context);

        static void Inner(int part, nint context) => Interlocked.Increment(ref *(int*)context);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void A_failure_reaches_the_caller_after_every_part_ran(int threads)
    {
        WorkerPool pool = new(threads);
        for (int repeat = 0; repeat < 50; repeat++)
        {
            int ran = 0;
            nint context = (nint)(&ran);
            InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => pool.Run(10, &Fail, context));
            Assert.Equal("part 7", error.Message);
            Assert.Equal(10, ran);
            Assert.All(Count(pool, 10), n => Assert.Equal(1, n));
        }

        static void Fail(int part, nint context)
        {
            Interlocked.Increment(ref *(int*)context);
            if (part == 7)
            {
                throw new InvalidOperationException("part 7");
            }
        }
    }

    /// <summary>After a pause the workers sleep; the next job must wake them or do without, but never hang.</summary>
    [Fact]
    public void A_job_after_a_pause_runs()
    {
        WorkerPool pool = new(4);
        for (int i = 0; i < 30; i++)
        {
            Assert.All(Count(pool, 8), n => Assert.Equal(1, n));
            Thread.Sleep(i % 3);
        }
    }

    [Fact]
    public void Workers_take_part()
    {
        WorkerPool pool = new(2);
        for (int attempt = 0; attempt < 200; attempt++)
        {
            Threads seen = default;
            pool.Run(2, &Meet, (nint)(&seen));
            if (seen.Met == 2)
            {
                return;
            }
        }

        Assert.Fail("No worker ever ran a part while the caller ran another.");

        static void Meet(int part, nint context)
        {
            Threads* seen = (Threads*)context;
            Interlocked.Increment(ref seen->Inside);
            long until = Stopwatch.GetTimestamp() + (Stopwatch.Frequency / 50);
            while (Volatile.Read(ref seen->Inside) < 2 && Stopwatch.GetTimestamp() < until)
            {
                Thread.Yield();
            }

            Interlocked.Add(ref seen->Met, Volatile.Read(ref seen->Inside) == 2 ? 1 : 0);
        }
    }

    [Fact]
    public void Threads_start_late_and_end_with_the_pool()
    {
        WorkerTeam team = UsedTeam();
        Stopwatch watch = Stopwatch.StartNew();
        while (team.LiveWorkers > 0 && watch.Elapsed < TimeSpan.FromSeconds(20))
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(5);
        }

        Assert.Equal(0, team.LiveWorkers);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static WorkerTeam UsedTeam()
        {
            WorkerPool pool = new(3);
            Assert.Equal(0, pool.Team!.LiveWorkers);
            Assert.True(SpinWait.SpinUntil(() => Count(pool, 4).Length == 4 && pool.Team!.LiveWorkers == 2, 20_000));
            return pool.Team;
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1025)]
    public void Impossible_sizes_are_refused(int threads) => Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerPool(threads));

    [Fact]
    public void Too_many_parts_are_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerPool(2).Run(WorkerPool.MaxParts + 1, &Nothing, 0));

    private static void Nothing(int part, nint context) { }

    private static int[] Count(WorkerPool pool, int parts)
    {
        using Block<int> hits = new(Math.Max(parts, 1));
        hits.Span.Clear();
        pool.Run(parts, &Hit, hits.Pointer);
        return hits.ToArray()[..parts];

        static void Hit(int part, nint context) => Interlocked.Increment(ref ((int*)context)[part]);
    }

    private struct Sum
    {
        public long Weight;
        public long Total;
    }

    private struct Threads
    {
        public int Inside;
        public int Met;
    }

    private static class Nested
    {
        public static WorkerPool? Pool { get; set; }
    }
}
