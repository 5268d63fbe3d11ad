namespace Rcmp.Hosts.Chaos;

/// <summary>Where the words lie that the clients write: spread over the pages so that every page is used from every rack.</summary>
internal sealed record ChaosLayout(GAddr Address, int PageSize, int Pages, int Clients)
{
    /// <summary>Words that one client alone writes.</summary>
    public const int Registers = 32;

    /// <summary>Words to which all clients add.</summary>
    public const int Counters = 16;

    public const int ClientsMax = 12;

    private const int WordSize = sizeof(ulong);
    private const int FirstCounterWord = ClientsMax * Registers;

    public GAddr Register(int client, int register) => Word((client * 5 + register) % Pages, client * Registers + register);

    public GAddr Counter(int counter) => Word(counter * 3 % Pages, FirstCounterWord + counter);

    private GAddr Word(int page, int word) => Address + ((long)page * PageSize + word * WordSize);
}

/// <summary>What a register holds: who wrote it, where, and as which of its writes. A value in the wrong place is noticed.</summary>
internal static class ChaosStamp
{
    private const int ClientShift = 56;
    private const int RegisterShift = 48;
    private const ulong SequenceMask = (1UL << RegisterShift) - 1;

    public static ulong Of(int client, int register, long sequence) =>
        ((ulong)(client + 1) << ClientShift) | ((ulong)register << RegisterShift) | ((ulong)sequence & SequenceMask);

    public static bool Belongs(ulong value, int client, int register) => value == 0 || (value & ~SequenceMask) == Of(client, register, 0);

    public static long Sequence(ulong value) => (long)(value & SequenceMask);
}
