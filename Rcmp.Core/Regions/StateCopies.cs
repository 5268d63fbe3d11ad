using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Rcmp.Protocol;

namespace Rcmp.Regions;

/// <summary>The two copies of a region's changing state. Each: write number (8), payload length (4), zero (4), checksum over all but itself (8), payload. A save
/// overwrites the copy that is not the newest valid one, its checksum last: wherever a kill falls, the other copy stands.</summary>
internal static unsafe class StateCopies
{
    private const int HeaderBytes = 24;
    private const int RosterMax = RackId.Max;

    /// <summary>Directory shards of a pool, at most.</summary>
    public const int TermsMax = 1024;

    private const int EntryFixedBytes = 2 + 16 + 8 + 1 + 2;

    public static void Format(byte* copies)
    {
        var empty = new SuperblockState(RackId.None, new Generation(0), 1, [], new Dictionary<ShardId, Term>());
        Write(copies, 1, Serialize(empty));
        Write(copies + RegionLayout.StateBytes, 0, Serialize(empty));
    }

    /// <summary>The newest valid copy, or null if there is none.</summary>
    public static (SuperblockState State, ulong Number, int Copy)? Read(byte* copies)
    {
        (SuperblockState State, ulong Number, int Copy)? newest = null;
        for (var copy = 0; copy < 2; copy++)
        {
            if (TryRead(copies + copy * (long)RegionLayout.StateBytes, out var state, out var number) && (newest is null || number > newest.Value.Number))
                newest = (state!, number, copy);
        }

        return newest;
    }

    public static bool IsValid(byte* copies, int copy) => TryRead(copies + copy * (long)RegionLayout.StateBytes, out _, out _);

    /// <summary>A save began on the copy and did not end.</summary>
    public static bool IsBeingWritten(byte* copies, int copy) => *(ulong*)(copies + copy * (long)RegionLayout.StateBytes + 16) == 0;

    public static void Write(byte* copy, ulong number, ReadOnlySpan<byte> payload)
    {
        var block = new Span<byte>(copy, RegionLayout.StateBytes);
        // Invalid from here on, until the new checksum: the old one must not fit a mixture.
        BinaryPrimitives.WriteUInt64LittleEndian(block[16..], 0);
        Interlocked.MemoryBarrier();
        BinaryPrimitives.WriteUInt64LittleEndian(block, number);
        BinaryPrimitives.WriteInt32LittleEndian(block[8..], payload.Length);
        BinaryPrimitives.WriteInt32LittleEndian(block[12..], 0);
        payload.CopyTo(block[HeaderBytes..]);
        Interlocked.MemoryBarrier();
        BinaryPrimitives.WriteUInt64LittleEndian(block[16..], Checksum(block, payload.Length));
    }

    private static bool TryRead(byte* copy, out SuperblockState? state, out ulong number)
    {
        var block = new ReadOnlySpan<byte>(copy, RegionLayout.StateBytes);
        number = BinaryPrimitives.ReadUInt64LittleEndian(block);
        var length = BinaryPrimitives.ReadInt32LittleEndian(block[8..]);
        state = null;
        if (length is < 0 or > RegionLayout.StateBytes - HeaderBytes || Checksum(block, length) != BinaryPrimitives.ReadUInt64LittleEndian(block[16..]))
            return false;
        state = TryDeserialize(block.Slice(HeaderBytes, length));
        return state is not null;
    }

    private static ulong Checksum(ReadOnlySpan<byte> block, int length)
    {
        var hash = new XxHash3();
        hash.Append(block[..16]);
        hash.Append(block.Slice(HeaderBytes, length));
        // 0 marks a copy that is being written.
        return hash.GetCurrentHashAsUInt64() | 1;
    }

    /// <exception cref="PoolExhaustedException">More than the region can keep.</exception>
    public static byte[] Serialize(SuperblockState state)
    {
        if (state.Roster.Count > RosterMax)
            throw new PoolExhaustedException($"The roster has {state.Roster.Count} regions, a pool has at most {RosterMax}.", false);
        if (state.Terms.Count > TermsMax)
            throw new PoolExhaustedException($"There are terms of {state.Terms.Count} directory shards, at most are {TermsMax}: change rcmp.directory.shards.", false);
        using var stream = new MemoryStream();
        using (var writer = new BinaryWriter(stream, Encoding.UTF8, true))
        {
            writer.Write(state.Rack.Value);
            writer.Write(state.Generation.Value);
            writer.Write(state.SequenceReserved);
            writer.Write((ushort)state.Roster.Count);
            foreach (var entry in state.Roster)
                WriteEntry(writer, entry);
            writer.Write((ushort)state.Terms.Count);
            foreach (var (shard, term) in state.Terms)
            {
                writer.Write(shard.Value);
                writer.Write(term.Value);
            }
        }

        if (stream.Length > RegionLayout.StateBytes - HeaderBytes)
            throw new PoolExhaustedException($"The roster of {state.Roster.Count} regions needs {stream.Length} bytes, the superblock has {RegionLayout.StateBytes - HeaderBytes}: use shorter host names.", false);
        return stream.ToArray();
    }

    private static void WriteEntry(BinaryWriter writer, RosterEntry entry)
    {
        var address = Encoding.UTF8.GetBytes(entry.NodeAddress);
        if (address.Length > ushort.MaxValue)
            throw new PoolExhaustedException($"The node address of rack {entry.Rack} has {address.Length} bytes, at most are {ushort.MaxValue}.", false);
        writer.Write(entry.Rack.Value);
        writer.Write(entry.RegionId.ToByteArray());
        writer.Write(entry.Generation.Value);
        writer.Write(entry.Forgotten);
        writer.Write((ushort)address.Length);
        writer.Write(address);
    }

    private static SuperblockState? TryDeserialize(ReadOnlySpan<byte> payload)
    {
        var reader = new PayloadReader(payload);
        var rack = new RackId(reader.UInt16());
        var generation = new Generation(reader.UInt64());
        var sequence = reader.UInt64();
        var roster = new RosterEntry[Math.Min((int)reader.UInt16(), payload.Length / EntryFixedBytes + 1)];
        for (var i = 0; i < roster.Length && !reader.Failed; i++)
        {
            roster[i] = new RosterEntry(
                new RackId(reader.UInt16()), reader.Guid(), new Generation(reader.UInt64()), "", reader.Bytes(1) is [not 0]);
            roster[i] = roster[i] with { NodeAddress = Encoding.UTF8.GetString(reader.Bytes(reader.UInt16())) };
        }

        var terms = new Dictionary<ShardId, Term>();
        var count = reader.UInt16();
        for (var i = 0; i < count && !reader.Failed; i++)
            terms[new ShardId((int)reader.UInt32())] = new Term(reader.UInt64());
        return reader.Failed ? null : new SuperblockState(rack, generation, sequence, roster, terms);
    }

    /// <summary>Reads past the end as zeros, and remembers that it did.</summary>
    private ref struct PayloadReader(ReadOnlySpan<byte> rest)
    {
        private ReadOnlySpan<byte> _rest = rest;

        public bool Failed { get; private set; }

        public ReadOnlySpan<byte> Bytes(int count)
        {
            if (Failed || _rest.Length < count)
            {
                Failed = true;
                return [];
            }

            var bytes = _rest[..count];
            _rest = _rest[count..];
            return bytes;
        }

        public ushort UInt16() => Bytes(2) is { Length: 2 } bytes ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : (ushort)0;

        public uint UInt32() => Bytes(4) is { Length: 4 } bytes ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;

        public ulong UInt64() => Bytes(8) is { Length: 8 } bytes ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;

        public Guid Guid() => Bytes(16) is { Length: 16 } bytes ? new Guid(bytes) : System.Guid.Empty;
    }
}
