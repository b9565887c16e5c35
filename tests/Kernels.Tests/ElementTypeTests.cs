using Xunit;

namespace Hybrid.Kernels.Tests;

public sealed class ElementTypeTests
{
    [Fact]
    public void Values_are_stable_because_files_store_them()
    {
        ElementType[] inOrder = [ElementType.Float32, ElementType.Float64, ElementType.Int32, ElementType.UInt8, ElementType.Bool];

        Assert.Equal(inOrder, Enum.GetValues<ElementType>());
        Assert.Equal<byte>([0, 1, 2, 3, 4], inOrder.Select(type => (byte)type));
        Assert.Equal(sizeof(byte), sizeof(ElementType));
    }
}
