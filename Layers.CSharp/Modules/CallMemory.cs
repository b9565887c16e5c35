using System.Runtime;
using System.Runtime.CompilerServices;
using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// The Calls that a module made for inputs of the manual contract, the latest of each, until a Call at other versions of the parameters
/// comes. It keeps no input alive, and a Call, with its graph, only as long as its input lives. Any thread may use it.
/// </summary>
/// <remarks>
/// Parameters change in every training step, so that the latest Call alone counts: it hangs on one handle. A table, which takes longer to
/// write, is made when another input comes at the same versions, as always happens where there are no parameters.
/// </remarks>
internal sealed class CallMemory
{
    private readonly Lock gate = new();
    private DependentHandle latest;
    private ConditionalWeakTable<Tensor, RecordedCall>? earlier;
    private long versions;

    /// <summary>Frees the handle: it is no memory that a collection would find.</summary>
    ~CallMemory() => latest.Dispose();

    /// <summary>Remembers the Call of an input, in place of one that it had, and forgets those of older versions of the parameters.</summary>
    public void Remember(Tensor input, RecordedCall call)
    {
        lock (gate)
        {
            if (versions != call.Parameters.Versions)
                earlier = null;
            else if (latest.IsAllocated && latest.TargetAndDependent is (Tensor other, RecordedCall known) && !ReferenceEquals(other, input))
                (earlier ??= []).AddOrUpdate(other, known);
            earlier?.Remove(input);
            versions = call.Parameters.Versions;
            latest.Dispose();
            latest = new(input, call);
        }
    }

    /// <summary>What was remembered of this very input; null if nothing was.</summary>
    public RecordedCall? Find(Tensor input)
    {
        lock (gate)
        {
            if (latest.IsAllocated && latest.TargetAndDependent is (Tensor last, RecordedCall call) && ReferenceEquals(last, input))
                return call;
            return earlier is not null && earlier.TryGetValue(input, out var found) ? found : null;
        }
    }
}
