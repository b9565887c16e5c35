using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hybrid.Kernels;

/// <summary>An integer known to the compiler, so that code for rows or vectors that a tile does not have disappears.</summary>
/// <remarks>
/// The type's own size is the same number. Compilation does not even read code that a comparison with <c>sizeof</c> excludes, whereas
/// <see cref="Value"/> must be inlined first: tiles compile in half the time, which is paid before the first step.
/// </remarks>
internal interface ISize
{
    static abstract int Value { get; }
}

[StructLayout(LayoutKind.Sequential, Size = 1)]
internal readonly struct Size1 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }
}

[StructLayout(LayoutKind.Sequential, Size = 2)]
internal readonly struct Size2 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 2;
    }
}

[StructLayout(LayoutKind.Sequential, Size = 3)]
internal readonly struct Size3 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 3;
    }
}

[StructLayout(LayoutKind.Sequential, Size = 4)]
internal readonly struct Size4 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 4;
    }
}

[StructLayout(LayoutKind.Sequential, Size = 5)]
internal readonly struct Size5 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 5;
    }
}

[StructLayout(LayoutKind.Sequential, Size = 6)]
internal readonly struct Size6 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 6;
    }
}

[StructLayout(LayoutKind.Sequential, Size = 7)]
internal readonly struct Size7 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 7;
    }
}

[StructLayout(LayoutKind.Sequential, Size = 8)]
internal readonly struct Size8 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 8;
    }
}

[StructLayout(LayoutKind.Sequential, Size = 9)]
internal readonly struct Size9 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 9;
    }
}

[StructLayout(LayoutKind.Sequential, Size = 10)]
internal readonly struct Size10 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 10;
    }
}

[StructLayout(LayoutKind.Sequential, Size = 11)]
internal readonly struct Size11 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 11;
    }
}

[StructLayout(LayoutKind.Sequential, Size = 12)]
internal readonly struct Size12 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 12;
    }
}

[StructLayout(LayoutKind.Sequential, Size = 13)]
internal readonly struct Size13 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 13;
    }
}

[StructLayout(LayoutKind.Sequential, Size = 14)]
internal readonly struct Size14 : ISize
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 14;
    }
}
