using System.Buffers.Binary;

namespace Rcmp.Cluster.Transport;

/// <summary>Cuts a stream into frames: four bytes of length, low ones first, then so many bytes.</summary>
internal sealed class FrameReader(int frameBytesMax)
{
    public const int HeaderBytes = sizeof(int);

    /// <summary>A frame of so many bytes fits a buffer that has not grown.</summary>
    public const int UsualFrameBytesMax = UsualBytes - HeaderBytes;

    private const int UsualBytes = 16 << 10;

    private byte[] _buffer = new byte[UsualBytes];
    private int _start;
    private int _end;

    /// <summary>Of the frames that are still to come.</summary>
    public int FrameBytesMax { get; set; } = frameBytesMax;

    /// <summary>Where the next bytes go; never empty.</summary>
    public Span<byte> Free => _buffer.AsSpan(_end);

    /// <summary>So many bytes were put to <see cref="Free"/>.</summary>
    public void Advance(int count) => _end += count;

    /// <summary>The next whole frame, valid until the next call.</summary>
    /// <exception cref="InvalidDataException">A length that no sender of this pool announces.</exception>
    public bool TryRead(out ReadOnlySpan<byte> frame)
    {
        frame = default;
        var whole = HeaderBytes;
        if (_end - _start >= HeaderBytes)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(_buffer.AsSpan(_start));
            if (length < 0 || length > FrameBytesMax) throw new InvalidDataException($"a frame of {(uint)length} bytes, where {FrameBytesMax} are allowed");
            whole += length;
            if (_end - _start >= whole)
            {
                frame = _buffer.AsSpan(_start + HeaderBytes, length);
                _start += whole;
                return true;
            }
        }

        MakeRoom(whole);
        return false;
    }

    /// <summary>For a frame of so many bytes whose first ones are there; the buffer grows with what has arrived, not with what was announced.</summary>
    private void MakeRoom(int whole)
    {
        var kept = _end - _start;
        var wanted = kept < _buffer.Length ? Math.Max(UsualBytes, Math.Min(_buffer.Length, whole)) : Math.Min(whole, 2 * _buffer.Length);
        var to = wanted == _buffer.Length ? _buffer : new byte[wanted];
        _buffer.AsSpan(_start, kept).CopyTo(to);
        (_buffer, _start, _end) = (to, 0, kept);
    }
}
