using System.Runtime.InteropServices;

namespace Rcmp.Native;

/// <summary>What kind of file a region lies in.</summary>
internal enum RegionFileKind
{
    Unsupported = 0,
    SharedMemory = 1,
    HugePages = 2,
    Dax = 3,
    File = 4,
}

/// <summary>Advice on a mapping; Linux numbers.</summary>
internal enum MemoryAdvice
{
    DontFork = 10,
    HugePages = 14,
    PopulateWrite = 23,
}

/// <summary>The memory barrier over all processes that registered for it.</summary>
internal static class MemoryBarrierCalls
{
    private const int GlobalExpedited = 1 << 1;
    private const int RegisterGlobalExpedited = 1 << 2;

    /// <summary>Registers this process: from now on <see cref="TryIssue"/>, by any process, orders its threads. exec drops it.</summary>
    public static bool TryRegister() => SystemCalls.MemBarrier(RegisterGlobalExpedited) >= 0;

    /// <summary>Returns after every running thread of every registered process has passed a full barrier.</summary>
    public static bool TryIssue() => SystemCalls.MemBarrier(GlobalExpedited) >= 0;
}

/// <summary>Texts for error numbers.</summary>
internal static class SystemErrors
{
    public const int NoEntry = 2;
    public const int WouldBlock = 11;
    public const int NoMemory = 12;
    public const int AccessDenied = 13;
    public const int NoSpace = 28;

    public static string Describe(int errno) => $"{Marshal.GetPInvokeErrorMessage(errno)} (errno {errno})";
}
