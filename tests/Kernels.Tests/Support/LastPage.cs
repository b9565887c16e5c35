using System.Runtime.InteropServices;

namespace Hybrid.Kernels.Tests;

/// <summary>
/// Float32 numbers in memory whose last element is the last before a page that cannot be read: a kernel that reads beyond it ends the process, where <see cref="Block{T}"/>
/// sees only what is written. Only Linux and macOS have it; elsewhere it is plain memory.
/// </summary>
internal sealed unsafe partial class LastPage : IDisposable
{
    private const int ReadAndWrite = 3;
    private const int Nothing = 0;
    private const int Private = 2;

    private readonly nint pages;
    private readonly nint bytes;
    private readonly int count;

    public LastPage(ReadOnlySpan<float> values)
    {
        count = values.Length;
        nint page = Environment.SystemPageSize;
        nint needed = values.Length * sizeof(float);
        bytes = (((needed + page - 1) / page) + 1) * page;
        if (OperatingSystem.IsWindows())
        {
            pages = (nint)NativeMemory.AlignedAlloc((nuint)bytes, (nuint)page);
        }
        else
        {
            int anonymous = OperatingSystem.IsMacOS() ? 0x1000 : 0x20;
            pages = Map(0, bytes, ReadAndWrite, Private | anonymous, -1, 0);
            if (pages == -1 || Protect(pages + bytes - page, page, Nothing) != 0)
            {
                throw new InvalidOperationException($"No guarded memory: error {Marshal.GetLastPInvokeError()}.");
            }
        }

        Pointer = pages + bytes - page - needed;
        values.CopyTo(new Span<float>((void*)Pointer, values.Length));
    }

    public nint Pointer { get; }

    public float[] ToArray() => new Span<float>((void*)Pointer, count).ToArray();

    public void Dispose()
    {
        if (OperatingSystem.IsWindows())
        {
            NativeMemory.AlignedFree((void*)pages);
        }
        else
        {
            _ = Unmap(pages, bytes);
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint address, nint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint address, nint length);
}
