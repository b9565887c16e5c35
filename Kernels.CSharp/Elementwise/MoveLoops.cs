using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>y = x over a segment with any steps, for elements of the size of T.</summary>
internal static unsafe class CopyLoop<T>
    where T : unmanaged
{
    /// <summary>Side of the square blocks in which a transposition is copied, so that both sides stay in cache.</summary>
    private const long Tile = 32;

    /// <summary>Bytes of a row from which it is copied in registers, and up to which.</summary>
    private const int ShortRow = 32;
    private const int LongRow = 512;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(Segment* segment)
    {
        if (segment->Step[1] is not (0 or 1) && segment->RowStep[1] == sizeof(T) && segment->Rows > 1)
        {
            Transpose(segment);
            return;
        }

        long bytes = segment->Count * sizeof(T);
        if (segment->Step[0] == 1 && segment->Step[1] == 1 && bytes is >= ShortRow and <= LongRow)
        {
            Rows(segment, bytes);
            return;
        }

        for (long rows = segment->Rows; rows > 0; rows--)
        {
            Row((T*)segment->Address[0], segment->Step[0], (T*)segment->Address[1], segment->Step[1], segment->Count);
            segment->NextRow();
        }
    }

    /// <summary>Rows that are too short to be worth a call each, such as those of images side by side; the last register overlaps the one before it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows(Segment* segment, long bytes)
    {
        byte* y = (byte*)segment->Address[0];
        byte* x = (byte*)segment->Address[1];
        for (long rows = segment->Rows; rows > 0; rows--)
        {
            for (long i = 0; i < bytes - ShortRow; i += ShortRow)
            {
                Vector256.Store(Vector256.Load(x + i), y + i);
            }

            Vector256.Store(Vector256.Load(x + bytes - ShortRow), y + bytes - ShortRow);
            y += segment->RowStep[0];
            x += segment->RowStep[1];
        }
    }

    private static void Row(T* y, long stepY, T* x, long stepX, long count)
    {
        if (stepY == 1 && stepX == 1)
        {
            Buffer.MemoryCopy(x, y, count * sizeof(T), count * sizeof(T));
        }
        else if (stepY == 1 && stepX == 0 && count <= int.MaxValue)
        {
            new Span<T>(y, (int)count).Fill(*x);
        }
        else
        {
            Strided(y, stepY, x, stepX, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Strided(T* y, long stepY, T* x, long stepX, long count)
    {
        for (long i = 0; i < count; i++)
        {
            *y = *x;
            y += stepY;
            x += stepX;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(Segment* segment)
    {
        for (long row = 0; row < segment->Rows; row += Tile)
        {
            long rows = Math.Min(Tile, segment->Rows - row);
            for (long column = 0; column < segment->Count; column += Tile)
            {
                long columns = Math.Min(Tile, segment->Count - column);
                long squareRows = 0;
                if (sizeof(T) > 1 && segment->Step[0] == 1 && columns >= Transposition<T>.Side)
                {
                    squareRows = rows - (rows % Transposition<T>.Side);
                    TransposeSquares(segment, row, squareRows, column, columns);
                }

                for (long r = row + squareRows; r < row + rows; r++)
                {
                    Strided(Target(segment, r, column), segment->Step[0], Source(segment, r, column), segment->Step[1], columns);
                }
            }
        }
    }

    /// <summary>Whole squares of rows in registers; the last ones may overlap those before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeSquares(Segment* segment, long row, long rows, long column, long columns)
    {
        long side = Transposition<T>.Side;
        long step = segment->RowStep[0] / sizeof(T);
        for (long c = 0; c < columns; c += side)
        {
            long at = column + Math.Min(c, columns - side);
            for (long r = row; r < row + rows; r += side)
            {
                Transposition<T>.Square(Source(segment, r, at), segment->Step[1], Target(segment, r, at), step);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T* Target(Segment* segment, long row, long column) =>
        (T*)(segment->Address[0] + (row * segment->RowStep[0])) + (column * segment->Step[0]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T* Source(Segment* segment, long row, long column) =>
        (T*)(segment->Address[1] + (row * segment->RowStep[1])) + (column * segment->Step[1]);
}

/// <summary>y = (TTo)x over a segment.</summary>
internal static unsafe class CastLoop<TFrom, TTo>
    where TFrom : unmanaged, INumberBase<TFrom>
    where TTo : unmanaged, INumberBase<TTo>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(Segment* segment)
    {
        for (long rows = segment->Rows; rows > 0; rows--)
        {
            TTo* y = (TTo*)segment->Address[0];
            TFrom* x = (TFrom*)segment->Address[1];
            long step = segment->Step[1];
            for (long i = segment->Count; i > 0; i--)
            {
                *y = TTo.CreateSaturating(*x);
                y++;
                x += step;
            }

            segment->NextRow();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RunToBool(Segment* segment)
    {
        for (long rows = segment->Rows; rows > 0; rows--)
        {
            byte* y = (byte*)segment->Address[0];
            TFrom* x = (TFrom*)segment->Address[1];
            long step = segment->Step[1];
            for (long i = segment->Count; i > 0; i--)
            {
                *y = TFrom.IsZero(*x) ? (byte)0 : (byte)1;
                y++;
                x += step;
            }

            segment->NextRow();
        }
    }
}

/// <summary>y = x from bytes to floating-point numbers over a segment: the way of images into a batch.</summary>
internal static unsafe class BytesLoop<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    public static ElementLoop Loop => new(&Run, null);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(Segment* segment)
    {
        byte* block = stackalloc byte[64];
        long count = segment->Count;
        for (long rows = segment->Rows; rows > 0; rows--)
        {
            T* y = (T*)segment->Address[0];
            byte* x = (byte*)segment->Address[1];
            long step = segment->Step[1] * S.Count;
            if (step == 0)
            {
                new Span<byte>(block, 64).Fill(*x);
                x = block;
            }

            long i = 0;
            for (; i <= count - S.Count; i += S.Count)
            {
                S.Store(y + i, S.LoadBytes(x));
                x += step;
            }

            if (i < count)
            {
                int rest = (int)(count - i);
                PartialMemory.Copy(x, block, rest);
                S.StorePart(y + i, S.LoadBytes(block), rest);
            }

            segment->NextRow();
        }
    }
}
