using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// Where <see cref="Storage"/> gets its memory: pinned arrays by size class, which return when their storage is collected.
/// </summary>
/// <remarks>
/// A training step that writes its parameters to fresh memory would otherwise make the runtime collect its whole heap every few
/// steps (measured: 2.8 ms a step at 400 kB). Here the pool asks for a collection of the youngest generation, or of both young ones,
/// whenever it has handed out more than a budget beyond what was found alive the last time: some tenths of a millisecond, once in many
/// steps. What is computed never depends on when that happens.
/// </remarks>
internal static class StoragePool
{
    /// <summary>The largest block in bytes that one array can hold.</summary>
    public static readonly long LargestBlock = Array.MaxLength - Page;

    /// <summary>
    /// Larger blocks begin at multiples of this. Processors compare the low 12 bits of a load's address with those of stores under way:
    /// where an output lies a little beyond its input in these bits, as it does if arrays are packed, every load waits for a store. Blocks
    /// that all begin alike never meet (Intel's optimization manual, "4-KByte aliasing").
    /// </summary>
    public const int Page = 4096;

    private const int SmallestClass = 1024;
    private const int SlabBytes = 16 * 1024;
    private const long LeastBudget = 16L << 20;
    private const int TurnsWhereMuchLives = 16;

    private static readonly ConcurrentStack<byte[]>[] Free = CreateFree();
    private static readonly int[] LastAsked = new int[Free.Length];
    private static readonly Lock CollectGate = new();
    private static long outstanding;
    private static long alive;

    // What was alive after the last collection of both generations, and how many of the next ones are to be of both.
    private static long settled;
    private static int turnsOfBoth;

    // Collections so far: what LastAsked counts in.
    private static int turn;
    private static long pooled;
    private static long fresh;

    [ThreadStatic]
    private static Block? slab;

    [ThreadStatic]
    private static int slabUsed;

    /// <summary>Bytes that wait to be used again.</summary>
    public static long PooledBytes => Interlocked.Read(ref pooled);

    /// <summary>Bytes that no idle block could give, so that the runtime had to, from the start of the process.</summary>
    public static long FreshBytes => Interlocked.Read(ref fresh);

    /// <summary>An array at a fixed address; when nobody can reach it any more, the array goes back to its class.</summary>
    internal class Block
    {
        protected readonly byte[] Memory;

        public unsafe Block(byte[] memory)
        {
            Memory = memory;
            nint start = (nint)Unsafe.AsPointer(ref memory[0]);
            int alignment = AlignmentOf(memory.Length);
            Start = (start + alignment - 1) & -alignment;
        }

        public nint Start { get; }
    }

    private sealed class PooledBlock(byte[] memory, int sizeClass) : Block(memory)
    {
        ~PooledBlock()
        {
            Interlocked.Add(ref outstanding, -Memory.Length);
            Interlocked.Add(ref pooled, Memory.Length);
            Free[sizeClass].Push(Memory);
        }
    }

    /// <summary>A block for some bytes, and where in it they begin.</summary>
    public static (Block Block, int Offset) Rent(int bytes)
    {
        if (bytes < SmallestClass)
            return RentSmall(bytes);
        (int sizeClass, long size) = ClassOf(bytes);
        LastAsked[sizeClass] = turn;
        byte[] memory = Take(sizeClass) ?? Collected(sizeClass, size) ?? Pinned(size);
        Interlocked.Add(ref outstanding, memory.Length);
        return (new PooledBlock(memory, sizeClass), 0);
    }

    // Small blocks share slabs; a slab lives as long as one of its blocks.
    private static (Block Block, int Offset) RentSmall(int bytes)
    {
        int size = (bytes + Storage.Alignment - 1) & ~(Storage.Alignment - 1);
        if (slab is null || slabUsed + size > SlabBytes)
        {
            slab = new Block(Pinned(SlabBytes));
            slabUsed = 0;
        }
        int offset = slabUsed;
        slabUsed += size;
        return (slab, offset);
    }

    private static byte[] Pinned(long size)
    {
        byte[] memory = GC.AllocateUninitializedArray<byte>((int)Math.Min(size + AlignmentOf(size), Array.MaxLength), pinned: true);
        Interlocked.Add(ref fresh, memory.Length);
        return memory;
    }

    // What is large enough to pay for it; a slab of small blocks is not one.
    private static int AlignmentOf(long size) => size > SlabBytes + Storage.Alignment ? Page : Storage.Alignment;

    private static byte[]? Take(int sizeClass)
    {
        if (!Free[sizeClass].TryPop(out byte[]? memory))
            return null;
        Interlocked.Add(ref pooled, -memory.Length);
        return memory;
    }

    // Nothing is free: look whether enough of what was handed out can have died to be worth a collection.
    private static byte[]? Collected(int sizeClass, long size)
    {
        long used = Interlocked.Read(ref outstanding);
        if (used < Interlocked.Read(ref alive))
            Interlocked.Exchange(ref alive, used); // Other collections found more.
        long budget = Math.Max(LeastBudget, Interlocked.Read(ref alive) / 16);
        if (used + size < Interlocked.Read(ref alive) + budget)
            return null;
        lock (CollectGate)
        {
            if (Take(sizeClass) is { } other)
                return other;

            // Small blocks mostly die young. What the youngest generation passes on (the step under way) piles up in the next one, until it
            // is worth a collection of both, which takes 1.4 times as long. Where much lives on, both are collected for a while.
            bool both = turnsOfBoth > 0 || size > budget / 16;
            GC.Collect(both ? 1 : 0, GCCollectionMode.Forced, blocking: true);
            GC.WaitForPendingFinalizers();
            long before = Interlocked.Exchange(ref alive, Interlocked.Read(ref outstanding));
            settled = Math.Min(settled, before);
            if (both)
                (turnsOfBoth, settled) = (Math.Max(turnsOfBoth - 1, 0), alive);
            else if (alive - settled > budget / 4)
                turnsOfBoth = alive - before > budget / 4 ? TurnsWhereMuchLives : 1;
            turn++;
            TrimTo(4 * budget);
        }
        return Take(sizeClass);
    }

    /// <summary>
    /// Gives idle memory back to the runtime until at most some bytes are idle: first what nobody has asked for since the most
    /// collections, and of that the largest blocks.
    /// </summary>
    public static void TrimTo(long bytes)
    {
        if (PooledBytes <= bytes)
            return;
        foreach (int i in Enumerable.Range(0, Free.Length).Reverse().OrderBy(i => LastAsked[i]))
            while (PooledBytes > bytes && Take(i) is not null) { }
    }

    // Four classes to an octave: a block wastes at most a fifth of its memory.
    private static (int Index, long Size) ClassOf(int bytes)
    {
        int octave = BitOperations.Log2((uint)bytes - 1);
        long quarter = Math.Max(1L << octave >> 2, 1);
        long steps = (bytes - (1L << octave) + quarter - 1) / quarter;
        return (4 * octave + (int)steps, (1L << octave) + steps * quarter);
    }

    private static ConcurrentStack<byte[]>[] CreateFree()
    {
        var stacks = new ConcurrentStack<byte[]>[4 * 32 + 5];
        for (int i = 0; i < stacks.Length; i++)
            stacks[i] = new();
        return stacks;
    }
}
