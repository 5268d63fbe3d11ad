using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using Rcmp.Protocol;

namespace Rcmp.Regions;

/// <summary>A slot of the link table. <see cref="Number"/> is stored last and is 0 in a free slot: a client that finds the number of its connection finds the link it connected to.</summary>
[StructLayout(LayoutKind.Sequential, Size = RegionLayout.LinkBytes)]
internal unsafe struct LinkEntry
{
    public const int AddressBytesMax = 184;

    public ulong Number;
    public ulong Checksum;
    public ulong OwnerGeneration;
    public ulong HolderGeneration;
    public ulong Registration;
    public Guid Key;
    public ushort OwnerRack;
    public ushort HolderRack;
    public ushort AddressLength;
    public fixed byte Address[AddressBytesMax];

    public static LinkRecord? Read(LinkEntry* entry)
    {
        var number = Volatile.Read(ref entry->Number);
        if (number == 0)
            return null;
        var copy = *entry;
        // The copy must lie between two reads of one number; the checksum is for damage, which is nobody's race.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref entry->Number) != number || copy.AddressLength > AddressBytesMax || copy.Checksum != ChecksumOf(&copy))
            return null;
        var id = new LinkId(
            new RackIncarnation(new RackId(copy.OwnerRack), new Generation(copy.OwnerGeneration)),
            new RackIncarnation(new RackId(copy.HolderRack), new Generation(copy.HolderGeneration)), copy.Registration);
        return new LinkRecord(number, id, copy.Key, Encoding.UTF8.GetString(copy.Address, copy.AddressLength));
    }

    /// <summary>Into a free slot, by the daemon.</summary>
    public static void Publish(LinkEntry* entry, LinkRecord link)
    {
        var length = Encoding.UTF8.GetByteCount(link.Address);
        if (length > AddressBytesMax)
            throw new ArgumentException($"The fabric address '{link.Address}' is longer than {AddressBytesMax} bytes: change rcmp.fabric.address.");
        entry->OwnerGeneration = link.Id.Owner.Generation.Value;
        entry->HolderGeneration = link.Id.Holder.Generation.Value;
        entry->Registration = link.Id.Registration;
        entry->Key = link.Key;
        entry->OwnerRack = link.Id.Owner.Rack.Value;
        entry->HolderRack = link.Id.Holder.Rack.Value;
        entry->AddressLength = (ushort)length;
        var address = new Span<byte>(entry->Address, AddressBytesMax);
        address.Clear();
        Encoding.UTF8.GetBytes(link.Address, address);
        entry->Checksum = ChecksumOf(entry);
        // Release: whoever sees the number sees the rest.
        Volatile.Write(ref entry->Number, link.Number);
    }

    public static bool Fits(string address) => Encoding.UTF8.GetByteCount(address) <= AddressBytesMax;

    public static void Clear(LinkEntry* entry) => Volatile.Write(ref entry->Number, 0);

    private static ulong ChecksumOf(LinkEntry* entry) =>
        XxHash3.HashToUInt64(new ReadOnlySpan<byte>((byte*)&entry->OwnerGeneration, RegionLayout.LinkBytes - 16));
}
