using System.Runtime.InteropServices;

namespace Rcmp.Native;

/// <summary>Page-aligned memory outside the managed heap: what requests point to, and what stands for a region in tests. Zeroed.</summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    private const nuint Alignment = 4096;
    private void* _start;

    public NativeBuffer(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        Length = bytes;
        _start = NativeMemory.AlignedAlloc((nuint)bytes, Alignment);
        NativeMemory.Clear(_start, (nuint)bytes);
    }

    ~NativeBuffer() => Release();

    public int Length { get; }

    public nint Address => _start is null ? throw new ObjectDisposedException(nameof(NativeBuffer)) : (nint)_start;

    public Span<byte> Span => new((void*)Address, Length);

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        NativeMemory.AlignedFree(_start);
        _start = null;
    }
}
