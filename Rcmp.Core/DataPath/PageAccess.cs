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
    /// <summary>The owner does not know the page as the table has it: the daemon must look.</summary>
    public bool NeedsResolve;

    public readonly bool IsRepeatable => Op == FabricOp.Read;
}

/// <summary>A range of the pool and the private memory that it is copied from or to.</summary>
internal unsafe struct RangePart
{
    public ulong Address;
    public byte* Buffer;
    public long Length;
}

/// <summary>What an operation needs to go on.</summary>
internal enum StepResult
{
    Done,
    /// <summary>The daemon's answer to misses.</summary>
    Answers,
    /// <summary>A pause: a page is moving, or a rack cannot be reached.</summary>
    Pause,
}
