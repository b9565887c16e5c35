namespace Hybrid.Core

open System

/// What an engine did so far. Counts are of this engine alone.
[<Struct>]
type EngineStats =
    {
        /// Plans that were made.
        Compiles: int64
        /// Evaluations that found their plan in the cache.
        Hits: int64
        /// Plans that were run.
        Runs: int64
        /// Operations that all of these runs computed; several may share one pass over memory.
        Operations: int64
        /// Plans in the cache now.
        Plans: int
        /// Bytes that the cached plans hold.
        PlanBytes: int64
        /// Bytes of the arenas, one for each run that was under way at the same time.
        ArenaBytes: int64
    }

/// Settings of an engine, with their defaults.
[<Sealed>]
type EngineOptions() =
    /// Threads that one evaluation may use; the default is one for each processor. Never changes a bit of a result.
    member val Threads = Environment.ProcessorCount with get, set

    /// Whether plans are simplified, equal work is shared, functions of elements run together and convolutions in blocks of images; true.
    /// Never changes a bit of a result.
    member val Rewrites = true with get, set

    /// Whether rules that may change bits (x + 0, x * 0) are used as well; false.
    member val InexactRewrites = false with get, set

    /// Whether the first NaN or infinity that a step computes is an error that names operation and layer; false, as it costs a pass over all values.
    member val TrapNonFinite = false with get, set

    /// Whether the steps of plans are timed, for `Engine.Explain`; false, as it costs two readings of the clock for each step.
    member val Measure = false with get, set

    /// How many plans are kept; 256.
    member val MaxPlans = 256 with get, set

    /// How many bytes the kept plans may hold themselves; 64 MiB.
    member val MaxPlanBytes = 64L * 1024L * 1024L with get, set

    /// How many operations may wait for someone to need their values before they are run; 10,000.
    member val MaxPending = 10_000 with get, set

    /// The same settings in an object of their own, so that an engine's cannot be changed behind its back.
    member internal this.Copy() =
        this.MemberwiseClone() :?> EngineOptions
