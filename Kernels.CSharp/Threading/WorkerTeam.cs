using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Hybrid.Kernels;

/// <summary>The threads of a <see cref="WorkerPool"/> and the one job they share.</summary>
/// <remarks>
/// All that decides who runs what is one 64-bit word, the ticket: job number (32 bits), parts of the job (16), next part (16).
/// A thread reads the ticket, then body and context, then takes the next part by compare-and-swap on the whole word. Body and
/// context change only between jobs, when every part of the old ticket is taken; so a swap that succeeds proves that they belong to
/// the part, and a thread that slept through a job can take nothing from it.
/// </remarks>
internal sealed unsafe class WorkerTeam(int workers)
{
    private static readonly long SpinTicks = Stopwatch.Frequency / 20_000;

    private readonly object gate = new();
    private int busy;
    private int sleeping;
    private int live;
    private bool started;
    private volatile bool stopped;
    private long ticket;
    private int unfinished;
    private nint body;
    private nint context;
    private ExceptionDispatchInfo? failure;

    /// <summary>Threads that have started and not ended.</summary>
    public int LiveWorkers => Volatile.Read(ref live);

    /// <summary>Parts of the last job; 0 before the first.</summary>
    public int LastParts => (int)((Volatile.Read(ref ticket) >> 16) & 0xffff);

    /// <summary>Runs the job with the caller's help; false, having done nothing, if another job is running.</summary>
    public bool TryRun(int parts, delegate* <int, nint, void> jobBody, nint jobContext)
    {
        if (Interlocked.CompareExchange(ref busy, 1, 0) != 0)
        {
            return false;
        }

        ExceptionDispatchInfo? thrown;
        try
        {
            StartThreads();
            body = (nint)jobBody;
            context = jobContext;
            unfinished = parts;
            uint job = (uint)(ticket >> 32) + 1;
            Interlocked.Exchange(ref ticket, ((long)job << 32) | ((long)parts << 16));
            if (Volatile.Read(ref sleeping) > 0)
            {
                lock (gate)
                {
                    Monitor.PulseAll(gate);
                }
            }

            TakeParts();
            SpinWait wait = default;
            while (Volatile.Read(ref unfinished) > 0)
            {
                wait.SpinOnce(sleep1Threshold: -1);
            }
        }
        finally
        {
            thrown = failure;
            failure = null;
            Volatile.Write(ref busy, 0);
        }

        thrown?.Throw();
        return true;
    }

    /// <summary>Lets every thread end as soon as it is idle.</summary>
    public void Stop()
    {
        stopped = true;
        lock (gate)
        {
            Monitor.PulseAll(gate);
        }
    }

    private void StartThreads()
    {
        if (started)
        {
            return;
        }

        started = true;
        for (int i = 0; i < workers; i++)
        {
            Thread thread = new(Work) { IsBackground = true, Name = $"Hybrid worker {i + 1}" };
            thread.Start();
        }
    }

    private void Work()
    {
        Interlocked.Increment(ref live);
        bool spin = workers < Environment.ProcessorCount;
        while (!stopped)
        {
            TakeParts();
            if (!spin || !SpinForWork())
            {
                Sleep();
            }
        }

        Interlocked.Decrement(ref live);
    }

    /// <summary>Takes and runs parts until none is left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TakeParts()
    {
        while (true)
        {
            long seen = Volatile.Read(ref ticket);
            if (!HasParts(seen))
            {
                return;
            }

            nint jobBody = Volatile.Read(ref body);
            nint jobContext = Volatile.Read(ref context);
            if (Interlocked.CompareExchange(ref ticket, seen + 1, seen) != seen)
            {
                continue;
            }

            try
            {
                ((delegate* <int, nint, void>)jobBody)((int)(seen & 0xffff), jobContext);
            }
            catch (Exception error)
            {
                Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(error), null);
            }

            Interlocked.Decrement(ref unfinished);
        }
    }

    private static bool HasParts(long seen) => (seen & 0xffff) < ((seen >> 16) & 0xffff);

    private bool SpinForWork()
    {
        long until = Stopwatch.GetTimestamp() + SpinTicks;
        while (!stopped && Stopwatch.GetTimestamp() < until)
        {
            for (int i = 0; i < 8; i++)
            {
                if (HasParts(Volatile.Read(ref ticket)))
                {
                    return true;
                }

                Thread.SpinWait(4);
            }
        }

        return stopped;
    }

    /// <summary>
    /// Sleeps until a job has parts to take. The count of sleepers is raised before the last look at the ticket, and a job is
    /// published before the count is read, so one of the two sides always sees the other.
    /// </summary>
    private void Sleep()
    {
        lock (gate)
        {
            Interlocked.Increment(ref sleeping);
            while (!stopped && !HasParts(Interlocked.Read(ref ticket)))
            {
                Monitor.Wait(gate);
            }

            Interlocked.Decrement(ref sleeping);
        }
    }
}
