using System.Buffers.Binary;
using System.Runtime.Serialization;
using System.Text;

namespace Rcmp.Cluster.Serialization;

/// <summary>Grows as a body is written.</summary>
internal sealed class WireWriter
{
    private byte[] _bytes = new byte[256];

    public int Length { get; private set; }

    public byte[] ToArray() => _bytes.AsSpan(0, Length).ToArray();

    /// <summary>Seven bits a byte, low ones first: most numbers of the protocol are small.</summary>
    public void Number(ulong value)
    {
        var span = Room(10);
        var at = 0;
        for (; value >= 0x80; value >>= 7) span[at++] = (byte)(value | 0x80);
        span[at++] = (byte)value;
        Length += at;
    }

    /// <summary>Small ones of either sign are short.</summary>
    public void Signed(long value) => Number((ulong)((value << 1) ^ (value >> 63)));

    public void Fixed64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(Room(sizeof(ulong)), value);
        Length += sizeof(ulong);
    }

    public void Guid(Guid value)
    {
        value.TryWriteBytes(Room(16));
        Length += 16;
    }

    public void Text(string? value)
    {
        if (value is null)
        {
            Number(0);
            return;
        }
        var bytes = Encoding.UTF8.GetByteCount(value);
        Number((ulong)bytes + 1);
        Length += Encoding.UTF8.GetBytes(value, Room(bytes));
    }

    /// <summary>Leaves room for a length; <see cref="EndBlock"/> fills it in.</summary>
    public int BeginBlock()
    {
        _ = Room(sizeof(int));
        Length += sizeof(int);
        return Length;
    }

    public void EndBlock(int start) => BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(start - sizeof(int)), Length - start);

    /// <summary>A block that is not there.</summary>
    public void NoBlock()
    {
        BinaryPrimitives.WriteInt32LittleEndian(Room(sizeof(int)), -1);
        Length += sizeof(int);
    }

    private Span<byte> Room(int count)
    {
        if (_bytes.Length - Length < count) Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + count));
        return _bytes.AsSpan(Length);
    }
}

/// <summary>Reads a body; never past its end, and never more than it has.</summary>
internal ref struct WireReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly int Remaining => _rest.Length;

    public ulong Number()
    {
        var value = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Take(1)[0];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return value;
        }
        throw new SerializationException("A number of more than 64 bits.");
    }

    public long Signed()
    {
        var value = Number();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    public ulong Fixed64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong)));

    public Guid Guid() => new(Take(16));

    public string? Text()
    {
        var length = Number();
        return length == 0 ? null : Encoding.UTF8.GetString(Take(Bounded(length - 1)));
    }

    /// <summary>How many elements follow. Each takes at least a byte, so a damaged count does not make us allocate.</summary>
    public int Count() => Bounded(Number());

    /// <summary>A part with a length of its own; false if it is not there.</summary>
    public bool TryBlock(out WireReader block)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int)));
        block = default;
        if (length == -1) return false;
        if (length < 0) throw new SerializationException($"A part of {length} bytes.");
        block = new WireReader(Take(length));
        return true;
    }

    private readonly int Bounded(ulong count) =>
        count <= (ulong)_rest.Length ? (int)count : throw new SerializationException($"{count} bytes or elements announced, {_rest.Length} bytes left.");

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length) throw new SerializationException($"The body ends {count - _rest.Length} bytes too soon.");
        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
