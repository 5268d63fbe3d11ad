using System.Buffers;
using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>A page held by a guard slot of its own.</summary>
internal sealed unsafe class PinnedFrame(PoolClient client, GAddr address, GuardSlot* slot, byte* bytes, int length) : PinnedPage
{
    private readonly FrameMemory _memory = new(bytes, length);
    private GuardSlot* _slot = slot;
    private int _disposed;

    public override GAddr Address => address;

    public override Memory<byte> Memory
    {
        get
        {
            ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, this);
            return _memory.Memory;
        }
    }

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _memory.Close();
        client.Unpin(_slot);
        _slot = null;
    }

    /// <summary>The frame as memory; a span that was taken before the pin ended must not be used after it.</summary>
    private sealed class FrameMemory(byte* bytes, int length) : MemoryManager<byte>
    {
        private byte* _bytes = bytes;

        public void Close() => _bytes = null;

        public override Span<byte> GetSpan()
        {
            ObjectDisposedException.ThrowIf(_bytes == null, typeof(PinnedPage));
            return new Span<byte>(_bytes, length);
        }

        public override MemoryHandle Pin(int elementIndex = 0)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)length, nameof(elementIndex));
            ObjectDisposedException.ThrowIf(_bytes == null, typeof(PinnedPage));
            return new MemoryHandle(_bytes + elementIndex, default, this);
        }

        public override void Unpin()
        {
            // Frames do not move in memory; nothing was pinned.
        }

        protected override void Dispose(bool disposing) => Close();
    }
}
