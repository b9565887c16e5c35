namespace Hybrid.Kernels;

/// <summary>
/// Scratch memory of the calling thread, one block for each purpose, grown when needed and kept. Blocks are pinned arrays, so nothing
/// is released by hand; a thread that ends leaves its blocks to the collector.
/// </summary>
internal static class Workspace
{
    [ThreadStatic]
    private static Storage?[]? blocks;

    /// <summary>What a block is for; two users that are active at once on one thread must have different purposes.</summary>
    public enum Purpose
    {
        PackedA,
        PackedB,
        Transposed,
        SparseA,
        SparseB,
        SparseSums,
        Partials,
        Row,
        Fused,
        LaneImages,
        LaneResults,
        LaneSums,
        WholeWindows,
        WindowPlan,
        WindowWeights,
        WindowPartials,
        Count,
    }

    /// <summary>A block of at least the given size, aligned to 64 bytes, with arbitrary content.</summary>
    /// <remarks>It stays valid until this thread asks for a larger block of the same purpose.</remarks>
    public static nint Get(Purpose purpose, long bytes)
    {
        blocks ??= new Storage?[(int)Purpose.Count];
        ref Storage? block = ref blocks[(int)purpose];
        if (block is null || block.Bytes < bytes)
        {
            block = new Storage(Math.Max(bytes + (bytes / 4), 4096));
        }

        return block.Pointer;
    }
}
