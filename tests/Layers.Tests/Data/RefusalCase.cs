namespace Hybrid.Layers.Tests.Data;

/// <summary>Bytes that must be refused, with the whole message; the name is the test's name.</summary>
public sealed record RefusalCase(string Name, byte[] Bytes, string Message, long? Offset = null, string? Field = null)
{
    public override string ToString() => Name;
}
