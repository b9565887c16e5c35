using System.Collections.Immutable;

namespace Hybrid.Layers.Data;

/// <summary>The rows of a table of images: all pixels, then a label, in two arrays.</summary>
/// <param name="Pixels">The pixels of all rows, <c>[rows, pixels]</c>.</param>
/// <param name="Labels">The labels, <c>[rows]</c>.</param>
/// <param name="PixelMaximum">The largest value a pixel may have.</param>
internal sealed record LabelledPixels(ImmutableArray<byte> Pixels, ImmutableArray<byte> Labels, byte PixelMaximum);
