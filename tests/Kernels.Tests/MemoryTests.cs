using System.Runtime.CompilerServices;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>Storage, and the promise that warm kernels allocate nothing.</summary>
[Collection(nameof(Alone))]
public sealed class MemoryTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(63)]
    [InlineData(1000003)]
    public unsafe void Storage_is_aligned_and_of_the_size_asked_for(long bytes)
    {
        Storage storage = new(bytes);
        Assert.Equal(0, storage.Pointer % Storage.Alignment);
        Assert.Equal(bytes, storage.Bytes);
        Span<byte> content = new((void*)storage.Pointer, (int)bytes);
        content.Fill(9);
        nint before = storage.Pointer;
        GC.Collect();
        Assert.Equal(before, storage.Pointer);
        storage.Clear();
        Assert.False(content.ContainsAnyExcept((byte)0));
    }

    [Fact]
    public void Impossible_storage_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new Storage(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Storage(1L << 40));
    }

    [Fact]
    public void Storage_is_collected()
    {
        WeakReference weak = Make();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.False(weak.IsAlive);

        static WeakReference Make() => new(new Storage(100));
    }

    /// <summary>Larger than all that other tests take meanwhile.</summary>
    [Fact]
    public void Memory_is_fresh_once_and_then_used_again()
    {
        const long Large = 200L << 20;
        long before = Storage.FreshBytes;
        Take();
        Assert.InRange(Storage.FreshBytes - before, Large, 2 * Large);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        before = Storage.FreshBytes;
        Take();
        Assert.InRange(Storage.FreshBytes - before, 0, Large / 2);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Take() => Assert.Equal(Large, new Storage(Large).Bytes);
    }

    /// <summary>
    /// Though the youngest generation alone is collected most times, and all that is in use then outlives that; and though more memory of
    /// another size is idle than the pool keeps, and far more was in use before.
    /// </summary>
    [Fact]
    public void Memory_is_bounded_by_what_is_in_use_at_once()
    {
        const int Block = 800_000;
        for (int round = 0; round < 30; round++)
        {
            long other = Use(round % 2 * 4_000);
            for (int i = 0; i < 10 && Storage.IdleBytes < other; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }

            long before = Storage.FreshBytes;
            Queue<Storage> used = new(Enumerable.Range(0, 8).Select(_ => new Storage(Block)));
            for (int i = 0; i < 4_000; i++)
            {
                used.Enqueue(new Storage(Block));
                used.Dequeue();
            }

            Assert.InRange(Storage.FreshBytes - before, 0, 200L << 20);
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        static long Use(int count) => Enumerable.Range(0, count).Select(_ => new Storage(100_000)).ToArray().Sum(other => other.Bytes);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Warm_kernels_allocate_nothing(int threads)
    {
        WorkerPool pool = new(threads);
        foreach (KernelJob job in Digest.Jobs(pool))
        {
            // A part may meet this thread for the first time in any run, and needs a workspace then: one run without is enough.
            Assert.True(Enumerable.Range(0, 10).Any(_ => Allocated(job) == 0), $"{job.Name} allocated.");
        }
    }

    private static long Allocated(KernelJob job)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        job.Run();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    [Theory]
    [InlineData(ElementType.Float32, 4)]
    [InlineData(ElementType.Float64, 8)]
    [InlineData(ElementType.Int32, 4)]
    [InlineData(ElementType.UInt8, 1)]
    [InlineData(ElementType.Bool, 1)]
    public void Elements_have_their_sizes(ElementType type, int size) => Assert.Equal(size, type.Size());

    [Fact]
    public void Unknown_element_types_are_refused() => Assert.Throws<ArgumentOutOfRangeException>(() => ((ElementType)99).Size());
}

/// <summary>Tests that run when no others do: they count what the process takes.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
