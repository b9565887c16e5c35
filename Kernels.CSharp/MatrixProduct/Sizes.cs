using System.Runtime.InteropServices;

namespace Hybrid.Kernels;

/// <summary>
/// An integer known to the compiler, as the size of a type, so that code for rows or vectors that a tile does not have disappears. What a
/// comparison with <c>sizeof</c> excludes is not even read, whereas a property must be inlined first.
/// </summary>
internal interface ISize;

[StructLayout(LayoutKind.Sequential, Size = 1)]
internal readonly struct Size1 : ISize;

[StructLayout(LayoutKind.Sequential, Size = 2)]
internal readonly struct Size2 : ISize;

[StructLayout(LayoutKind.Sequential, Size = 3)]
internal readonly struct Size3 : ISize;

[StructLayout(LayoutKind.Sequential, Size = 4)]
internal readonly struct Size4 : ISize;

[StructLayout(LayoutKind.Sequential, Size = 5)]
internal readonly struct Size5 : ISize;

[StructLayout(LayoutKind.Sequential, Size = 6)]
internal readonly struct Size6 : ISize;

[StructLayout(LayoutKind.Sequential, Size = 7)]
internal readonly struct Size7 : ISize;

[StructLayout(LayoutKind.Sequential, Size = 8)]
internal readonly struct Size8 : ISize;

[StructLayout(LayoutKind.Sequential, Size = 9)]
internal readonly struct Size9 : ISize;

[StructLayout(LayoutKind.Sequential, Size = 10)]
internal readonly struct Size10 : ISize;

[StructLayout(LayoutKind.Sequential, Size = 11)]
internal readonly struct Size11 : ISize;

[StructLayout(LayoutKind.Sequential, Size = 12)]
internal readonly struct Size12 : ISize;

[StructLayout(LayoutKind.Sequential, Size = 13)]
internal readonly struct Size13 : ISize;

[StructLayout(LayoutKind.Sequential, Size = 14)]
internal readonly struct Size14 : ISize;
