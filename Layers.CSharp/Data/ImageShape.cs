namespace Hybrid.Layers.Data;

/// <summary>The sizes of an image.</summary>
/// <param name="Channels">How many channels it has: 1 for grey.</param>
/// <param name="Height">How many rows.</param>
/// <param name="Width">How many columns.</param>
public readonly record struct ImageShape(int Channels, int Height, int Width)
{
    /// <summary>How many pixels it has, those of all channels.</summary>
    public int Pixels => checked(Channels * Height * Width);

    /// <summary><c>[1, 28, 28]</c>: channels, height, width.</summary>
    public override string ToString() => $"[{Channels}, {Height}, {Width}]";
}
