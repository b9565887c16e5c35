namespace Hybrid.Kernels.Tests;

/// <summary>
/// The test assembly as a program: prints the digest of every kernel's results on this machine as it was started, so that the suite
/// can compare register widths, which are chosen when a process starts.
/// </summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        int threads = args.Length > 0 ? int.Parse(args[0]) : 1;
        Console.WriteLine($"bits {CpuFeatures.VectorBits}");
        foreach ((string name, string digest) in Digest.All(new WorkerPool(threads)))
        {
            Console.WriteLine($"{name} {digest}");
        }

        return 0;
    }
}
