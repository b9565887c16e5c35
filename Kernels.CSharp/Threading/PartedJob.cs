using System.Runtime.InteropServices;

namespace Hybrid.Kernels;

/// <summary>Work in independent parts for a <see cref="WorkerPool"/>, for those who have no function pointers. Running it allocates nothing.</summary>
public abstract unsafe class PartedJob
{
    /// <summary>Runs every part once, in no particular order, and returns when all are done.</summary>
    /// <param name="parts">How many; at most 32,767.</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="Exception">The first exception that a part threw, after every part has run; the others are dropped.</exception>
    public void Run(int parts, WorkerPool pool)
    {
        GCHandle handle = GCHandle.Alloc(this);
        try
        {
            pool.Run(parts, &Invoke, GCHandle.ToIntPtr(handle));
        }
        finally
        {
            handle.Free();
        }
    }

    /// <summary>Runs one part.</summary>
    /// <param name="part">Its number, from 0 on.</param>
    protected abstract void Part(int part);

    private static void Invoke(int part, nint context) => ((PartedJob)GCHandle.FromIntPtr(context).Target!).Part(part);
}
