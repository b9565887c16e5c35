using System.Numerics;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>Kernels on blocks of images side by side against those on images one after another, bit for bit.</summary>
public sealed class LaneTests
{
    public static TheoryData<int> Lengths => [0, 1, 63, 64, 65, 300, 2048, 4096, 4097, 13_000];

    [Theory]
    [MemberData(nameof(Lengths))]
    public void A_sum_in_each_lane_is_the_sum_of_each_image(int reduce)
    {
        Sum<float>(reduce);
        Sum<double>(reduce);
    }

    /// <summary>Windows that touch, with gaps, beyond the edge, and that overlap; fewer and more in a row than are searched together.</summary>
    public static TheoryData<int, int, int, int, int> Windows =>
        new()
        {
            { 2, 2, 0, 1, 3 },
            { 2, 3, 0, 1, 3 },
            { 3, 3, 1, 1, 3 },
            { 3, 2, 1, 1, 4 },
            { 2, 3, 0, 2, 2 },
            { 2, 2, 0, 1, 9 },
            { 3, 3, 1, 1, 10 },
            { 2, 4, 1, 2, 7 },
            { 3, 1, 2, 2, 8 },
        };

    [Theory]
    [MemberData(nameof(Windows))]
    public void Maxima_and_their_transpose_are_those_of_planes(int kernel, int stride, int padding, int dilation, int places)
    {
        PoolingShape shape = new(2, 7, 6, places, places, kernel, kernel, stride, stride, padding, padding, dilation, dilation);
        Maxima<float>(shape with { Height = Reach(), Width = Reach() });
        Maxima<double>(shape with { Height = Reach(), Width = Reach() });

        // As long as the windows reach, and one element more where there is padding behind.
        int Reach() => ((places - 1) * stride) + ((kernel - 1) * dilation) + 1 - (2 * padding) + (stride > kernel ? 1 : 0);
    }

    [Fact]
    public void A_window_of_padding_alone_stands_at_the_first_element()
    {
        foreach (PoolingShape shape in new PoolingShape[] { new(3, 5, 6, 7, 8, 1, 1, 1, 1, 1, 1, 1, 1), new(2, 3, 3, 2, 2, 2, 2, 1, 1, 2, 2, 5, 5) })
        {
            Maxima<float>(shape);
            Maxima<double>(shape);
        }
    }

    [Fact]
    public void A_window_much_larger_than_the_image_takes_no_more_memory_than_the_image()
    {
        PoolingShape wide = new(1, 3, 4, 5, 6, 20_001, 20_001, 1, 1, 10_001, 10_001, 1, 1);
        PoolingShape tall = new(1, 3, 9, 5, 8, 200_001, 2, 1, 1, 100_001, 0, 1, 1);
        long before = Storage.FreshBytes;
        foreach (PoolingShape shape in new[] { wide, tall })
        {
            Maxima<float>(shape);
            Maxima<double>(shape);
        }

        Assert.InRange(Storage.FreshBytes - before, 0, 1 << 20);
    }

    private static void Sum<T>(int reduce)
        where T : unmanaged, INumber<T>
    {
        ElementType type = Values.TypeOf<T>();
        int lanes = LaneBlock.Lanes(type);
        const int outer = 3;
        using Block<T> x = new(Values.Random<T>((long)lanes * outer * reduce, 1));
        using Block<T> expected = new(lanes * outer);
        Reductions.Sum(type, expected.Pointer, x.Pointer, lanes * outer, reduce, 1, WorkerPool.Serial);
        Values.SameBits<T>(expected.ToArray(), OnLanes<T>(x, outer * reduce, outer, (y, block) => LaneBlock.Sum(type, y, block, outer, reduce)));
    }

    private static void Maxima<T>(PoolingShape shape)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        ElementType type = Values.TypeOf<T>();
        int lanes = LaneBlock.Lanes(type);
        int size = shape.Planes * shape.Height * shape.Width;
        int count = shape.Planes * shape.OutHeight * shape.OutWidth;
        PoolingShape all = shape with { Planes = shape.Planes * lanes };

        // Few values, so that there are ties; and what is not a number.
        T[] values = Values.Random<int>((long)lanes * size, 1, -3, 3).Select(T.CreateTruncating).ToArray();
        for (int i = 0; i < values.Length; i += 13)
        {
            values[i] = i % 2 == 0 ? T.NaN : T.NegativeZero;
        }

        using Block<T> x = new(values);
        using Block<T> g = new(Values.Random<T>((long)lanes * count, 2).Select((v, i) => i % 7 == 0 ? T.NegativeZero : v).ToArray());
        using Block<int> positions = new(lanes * count);
        using Block<int> positionBlock = new(lanes * count);
        using Block<T> largest = new(lanes * count);
        using Block<T> back = new(lanes * size);
        Pooling.MaxPositions(type, all, positions.Pointer, x.Pointer, WorkerPool.Serial);
        int from = shape.Height * shape.Width;
        int into = shape.OutHeight * shape.OutWidth;
        Pooling.Take(type, all.Planes, from, into, largest.Pointer, x.Pointer, positions.Pointer, WorkerPool.Serial);
        Pooling.Put(type, all.Planes, into, from, back.Pointer, g.Pointer, positions.Pointer, WorkerPool.Serial);
        LaneBlock.Pack(4, lanes, positionBlock.Pointer, positions.Pointer, lanes, count);

        using Block<T> other = new(lanes * count);
        Assert.Equal(positions.ToArray(), OnLanes<T, int>(x, size, count, (y, block) => LanePooling.Max(type, shape, 0, y, block)));
        Assert.Equal(positions.ToArray(), OnLanes<T, int>(x, size, count, (y, block) => LanePooling.Max(type, shape, other.Pointer, y, block)));
        Values.SameBits<T>(largest.ToArray(), OnLanes<T>(x, size, count, (y, block) => LanePooling.Max(type, shape, y, 0, block)), "max");
        Values.SameBits<T>(
            largest.ToArray(),
            OnLanes<T>(x, size, count, (y, block) => LanePooling.Max(type, shape, y, other.Pointer, block)),
            "max with positions"
        );
        Values.SameBits<T>(
            largest.ToArray(),
            OnLanes<T>(x, size, count, (y, block) => LanePooling.Take(type, shape.Planes, from, into, y, block, positionBlock.Pointer)),
            "take"
        );
        Values.SameBits<T>(
            back.ToArray(),
            OnLanes<T>(g, count, size, (y, block) => LanePooling.MaxBackward(type, shape, y, block, positionBlock.Pointer)),
            "transpose"
        );

        // Behind a rectifier: no position for what is zero or below, and zeros for its gradients.
        using Block<int> rectified = new(positions.ToArray().Zip(largest.ToArray(), (position, value) => value <= T.Zero ? -1 : position).ToArray());
        using Block<T> passed = new(g.ToArray().Zip(largest.ToArray(), (gradient, value) => value <= T.Zero ? T.Zero : gradient).ToArray());
        Pooling.Put(type, all.Planes, into, from, back.Pointer, passed.Pointer, positions.Pointer, WorkerPool.Serial);
        foreach (nint found in new[] { 0, other.Pointer })
        {
            Assert.Equal(
                rectified.ToArray(),
                OnLanes<T, int>(x, size, count, (y, block) => LanePooling.Max(type, shape, found, y, block, rectified: true))
            );
        }

        LaneBlock.Pack(4, lanes, positionBlock.Pointer, rectified.Pointer, lanes, count);
        Values.SameBits<T>(
            back.ToArray(),
            OnLanes<T>(g, count, size, (y, block) => LanePooling.MaxBackward(type, shape, y, block, positionBlock.Pointer)),
            "transpose behind a rectifier"
        );
    }

    private static T[] OnLanes<T>(Block<T> images, int count, int results, Action<nint, nint> kernel)
        where T : unmanaged => OnLanes<T, T>(images, count, results, kernel);

    /// <summary>A block of images through a kernel, and back.</summary>
    private static unsafe R[] OnLanes<T, R>(Block<T> images, int count, int results, Action<nint, nint> kernel)
        where T : unmanaged
        where R : unmanaged
    {
        int lanes = 64 / sizeof(T);
        using Block<T> block = new(lanes * count);
        using Block<R> y = new(lanes * results);
        using Block<R> target = new(lanes * results);
        LaneBlock.Pack(sizeof(T), lanes, block.Pointer, images.Pointer, lanes, count);
        kernel(y.Pointer, block.Pointer);
        LaneBlock.Unpack(sizeof(R), lanes, target.Pointer, y.Pointer, lanes, results);
        return target.ToArray();
    }
}
