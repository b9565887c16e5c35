namespace Hybrid.Layers.Data;

/// <summary>The bytes of a file as they are.</summary>
internal sealed class PlainContent(Stream stream, string file) : Content(file)
{
    public override long? Length => stream.Length;

    public override long LengthLimit => stream.Length;

    public override DataPlace At(long offset) => DataPlace.Byte(offset);

    protected override int ReadSome(Span<byte> buffer)
    {
        var got = stream.Read(buffer);
        Position += got;
        return got;
    }
}
