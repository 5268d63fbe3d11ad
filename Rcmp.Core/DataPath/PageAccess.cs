using Rcmp.Fabric;

namespace Rcmp.DataPath;

/// <summary>Where an access stands.</summary>
internal enum AccessState
{
    /// <summary>Nothing is under way: look the page up.</summary>
    Pending = 0,
    InFlight = 1,
    Done = 2,
    /// <summary>Sent, but the answer was lost; a read goes back to pending instead.</summary>
    Unknown = 3,
}

/// <summary>What a lookup found.</summary>
internal enum LookupResult
{
    Done,
    Absent,
    Moving,
    Remote,
}

/// <summary>One read, write or atomic within one page. The caller keeps <see cref="Buffer"/> where it is until the access is not in flight any more.</summary>
internal unsafe struct PageAccess
{
    public FabricOp Op;
    public AccessState State;
    public ulong Address;
    public byte* Buffer;
    public uint Length;
    public ulong Operand;
    public ulong Comparand;
    public ulong Result;
    /// <summary>The page-table entry it was last found in.</summary>
    public long Entry;
    /// <summary>Where it goes if remote.</summary>
    public int LinkSlot;

    public readonly bool IsRepeatable => Op == FabricOp.Read;
}
