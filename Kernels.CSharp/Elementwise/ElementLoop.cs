namespace Hybrid.Kernels;

/// <summary>The compiled loop of a function of elements, and the class that it stands in, where <see cref="FusedCode"/> looks for the function itself.</summary>
internal readonly unsafe struct ElementLoop(delegate* <Segment*, void> run, Type? owner)
{
    /// <summary>Applies the function to a segment; null where the function does not exist for a type.</summary>
    public delegate* <Segment*, void> Run { get; } = run;

    /// <summary>The class; null if its functions do not work on registers of one element type.</summary>
    public Type? Owner { get; } = owner;
}
