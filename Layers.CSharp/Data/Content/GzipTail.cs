namespace Hybrid.Layers.Data;

/// <summary>
/// Hands a compressed file to the decompressor, the last bytes one by one: the decompressor reads ahead otherwise, and
/// nobody could tell whether the eight bytes of the trailer are all that follows. Data that are cut off leave nothing.
/// </summary>
internal sealed class GzipTail(Stream file) : Stream
{
    /// <summary>More than the trailer has, so that what ends before the tail has too much after it.</summary>
    private const int TailLength = 16;

    /// <summary>How many bytes have not been handed out.</summary>
    public long Left => file.Length - file.Position;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        var whole = Math.Max(1, Left - TailLength);
        return file.Read(buffer[..(int)Math.Min(buffer.Length, whole)]);
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
