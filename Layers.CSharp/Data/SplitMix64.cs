namespace Hybrid.Layers.Data;

/// <summary>
/// A small generator of random bits that gives the same bits everywhere: SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast
/// Splittable Pseudorandom Number Generators", OOPSLA 2014, with the constants of S. Vigna's splitmix64.c).
/// </summary>
internal struct SplitMix64(ulong state)
{
    private const ulong Step = 0x9E3779B97F4A7C15;
    private ulong state = state;

    /// <summary>The generator of one of many streams: the state is mixed, so that no two streams are shifts of each other.</summary>
    public static SplitMix64 ForStream(ulong seed, ulong stream) => new(Mix(Mix(seed + Step) + ((stream + 1) * Step)));

    /// <summary>The next 64 bits.</summary>
    public ulong Next()
    {
        state += Step;
        return Mix(state);
    }

    /// <summary>
    /// A number below a bound, each as likely as the others (D. Lemire, "Fast Random Integer Generation in an Interval",
    /// 2019): the few products that would favour some numbers are drawn again.
    /// </summary>
    public uint NextBelow(uint bound)
    {
        var product = (Next() >> 32) * bound;
        if ((uint)product < bound)
        {
            var unfair = (uint)-bound % bound;
            while ((uint)product < unfair)
                product = (Next() >> 32) * bound;
        }
        return (uint)(product >> 32);
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
