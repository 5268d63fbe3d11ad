using System.Buffers;
using System.Runtime.InteropServices;

namespace Rcmp.DataPath;

/// <summary>What an operation is to read or write: ranges, and the private memory of each. Used again and again, so that a batch allocates little.</summary>
internal sealed unsafe class RangeParts
{
    /// <summary>Room for more is not kept for the next operation.</summary>
    private const int Kept = 4096;
    private const int Grown = 16;

    private readonly List<MemoryHandle> _pins = [];
    private RangePart[] _parts = new RangePart[1];
    private int _next;
    private byte[]? _pinned;
    private byte* _pinnedStart;

    /// <summary>All there were, taken or not.</summary>
    public int Count { get; private set; }

    public void Clear() => (Count, _next) = (0, 0);

    /// <summary>One more. The memory stays where it is until the operation has ended.</summary>
    public void Add(in RangePart part)
    {
        if (Count == _parts.Length)
            Array.Resize(ref _parts, Math.Max(Grown, 2 * Count));
        _parts[Count++] = part;
    }

    /// <summary>One more, of memory that is pinned here until <see cref="Unpin"/>.</summary>
    public void Add(GAddr address, ReadOnlyMemory<byte> memory)
    {
        // Parts of one array, as a batch often has, are pinned once.
        var isArray = MemoryMarshal.TryGetArray(memory, out var segment);
        if (!isArray || segment.Array != _pinned)
        {
            _pins.Add(memory.Pin());
            _pinned = segment.Array;
            _pinnedStart = (byte*)_pins[^1].Pointer - segment.Offset;
        }

        Add(new RangePart { Address = address.Value, Buffer = _pinnedStart + segment.Offset, Length = memory.Length });
    }

    /// <summary>Nothing is in flight any more: the callers have their memory back.</summary>
    public void Unpin()
    {
        foreach (var pin in _pins)
            pin.Dispose();
        _pins.Clear();
        if (_pins.Capacity > Kept)
            _pins.Capacity = 0;
        _pinned = null;
        if (_parts.Length > Kept)
            _parts = new RangePart[1];
    }

    /// <summary>Takes what comes next and does not cross a multiple of a power of two.</summary>
    public bool TryTake(ulong boundary, out RangePart piece)
    {
        while (_next < Count && _parts[_next].Length == 0)
            _next++;
        if (_next == Count)
        {
            piece = default;
            return false;
        }

        ref var part = ref _parts[_next];
        piece = part;
        piece.Length = Math.Min(part.Length, (long)(boundary - (part.Address & (boundary - 1))));
        part.Address += (ulong)piece.Length;
        part.Buffer += piece.Length;
        part.Length -= piece.Length;
        return true;
    }

    /// <summary>How many bytes come next if they begin at the address, else none.</summary>
    public long LengthAt(ulong address) => _next < Count && _parts[_next].Address == address ? _parts[_next].Length : 0;
}
