using System.Runtime.ExceptionServices;

namespace Hybrid.Kernels;

/// <summary>
/// A fixed number of threads that share the parts of one job at a time (fork and join). The calling thread is one of them.
/// </summary>
/// <remarks>
/// <para>Any thread may use a pool at any time. A job that finds the pool busy, including one started from inside a part, runs
/// serially on the thread that brought it, so no thread waits for another's job and nothing can deadlock. Kernels fix their
/// parts by shape and keep parts independent, so which thread runs a part, and how many there are, changes no bit.</para>
/// <para>Threads start at the first job that can use them, are background threads, wait spinning for about 50 microseconds after
/// a job and then sleep. They end when the pool is no longer reachable: there is nothing to dispose. A job allocates nothing.</para>
/// </remarks>
public sealed unsafe class WorkerPool
{
    /// <summary>Largest number of parts of one job.</summary>
    internal const int MaxParts = 0x7fff;

    private readonly WorkerTeam? team;

    /// <summary>Makes a pool; its threads start when first needed.</summary>
    /// <param name="threads">Threads that work on a job, the caller included: at least 1, and 1 means serial.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 1 or more than 1024 threads.</exception>
    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, 1024);
        Threads = threads;
        team = threads == 1 ? null : new WorkerTeam(threads - 1);
    }

    /// <summary>Lets the threads end: they hold the team, never the pool.</summary>
    ~WorkerPool() => team?.Stop();

    /// <summary>The pool that has only the calling thread.</summary>
    public static WorkerPool Serial { get; } = new(1);

    /// <summary>Threads that work on a job, the caller included.</summary>
    public int Threads { get; }

    /// <summary>
    /// Runs <paramref name="body"/>(part, context) once for each part from 0 to <paramref name="parts"/> - 1, in no particular
    /// order, and returns when all are done.
    /// </summary>
    /// <exception cref="Exception">
    /// The first exception that a part threw, after every part has run; the others are dropped.
    /// </exception>
    internal void Run(int parts, delegate* <int, nint, void> body, nint context)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(parts, MaxParts);
        if (parts <= 1 || team is null || !team.TryRun(parts, body, context))
        {
            RunSerially(parts, body, context);
        }

        GC.KeepAlive(this);
    }

    /// <summary>The threads beside the caller's: for tests, which hold the team to see it end after its pool.</summary>
    internal WorkerTeam? Team => team;

    private static void RunSerially(int parts, delegate* <int, nint, void> body, nint context)
    {
        ExceptionDispatchInfo? failure = null;
        for (int part = 0; part < parts; part++)
        {
            try
            {
                body(part, context);
            }
            catch (Exception error)
            {
                failure ??= ExceptionDispatchInfo.Capture(error);
            }
        }

        failure?.Throw();
    }
}
