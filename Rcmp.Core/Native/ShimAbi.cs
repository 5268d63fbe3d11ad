using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rcmp.Fabric;
using Rcmp.Regions;

namespace Rcmp.Native;

/// <summary>Compares the shim's idea of the shared structures with ours, once: another build of librcmpshim.so would read other bits.</summary>
internal static unsafe partial class ShimAbi
{
    private static readonly Lazy<string?> Mismatch = new(Compare);

    /// <exception cref="PoolMismatchException">The library beside the assembly is of another build.</exception>
    public static void Verify()
    {
        if (Mismatch.Value is { } mismatch)
            throw new PoolMismatchException(mismatch);
    }

    /// <summary>The first difference between two lists of layout values, in words; null if there is none.</summary>
    internal static string? Difference(IReadOnlyList<(string Name, ulong Value)> expected, ReadOnlySpan<ulong> echoed)
    {
        if (echoed.Length != expected.Count)
            return $"librcmpshim.so echoes {echoed.Length} layout values where Rcmp.Core has {expected.Count}: rebuild both, or remove the stale library.";
        for (var i = 0; i < echoed.Length; i++)
        {
            if (echoed[i] != expected[i].Value)
                return $"librcmpshim.so has {echoed[i]} for {expected[i].Name} where Rcmp.Core has {expected[i].Value}: rebuild both, or remove the stale library.";
        }

        return null;
    }

    /// <summary>In the order of rcmp_layout_echo.</summary>
    internal static IReadOnlyList<(string Name, ulong Value)> Expected() =>
    [
        ("the ABI version", 7),
        ("the region format", RegionLayout.FormatVersion),
        ("the size of a page-table entry", Size<PageTableEntry>()),
        ("the offset of an entry's location", Offset<PageTableEntry>(nameof(PageTableEntry.Location))),
        ("the size of a guard slot", Size<GuardSlot>()),
        ("the offset of a slot's page", Offset<GuardSlot>(nameof(GuardSlot.Page))),
        ("the offset of a slot's connection", Offset<GuardSlot>(nameof(GuardSlot.Connection))),
        ("the size of a session header", Size<SessionHeader>()),
        ("the offset of a session's fence flag", Offset<SessionHeader>(nameof(SessionHeader.UsesFence))),
        ("the offset of a session's slot count", Offset<SessionHeader>(nameof(SessionHeader.SlotsUsed))),
        ("the size of an access counter", Size<AccessCounter>()),
        ("the size of a frame row", FrameRow.SizeBytes),
        ("the location's kind shift", Location.KindShift),
        ("the location's kind mask", Location.KindMask),
        ("the location's link shift", Location.LinkShift),
        ("the location's link mask", Location.LinkMask),
        ("the location's epoch shift", Location.EpochShift),
        ("the value of resident", (ulong)LocationKind.Resident),
        ("the value of moving", (ulong)LocationKind.Moving),
        ("the probe limit", RegionLayout.ProbeLines),
        ("the natural entry of a sample", (ulong)RegionLayout.NaturalEntry(0x0123_4567_89AB_CDEF, 0xFFFFF)),
        ("the size of a region view", Size<FabricRegionView>()),
        ("the size of server options", Size<FabricNative.ServerOptions>()),
        ("the size of a link", Size<FabricNative.Link>()),
        ("the size of connect options", Size<FabricNative.ConnectOptions>()),
        ("the size of a request", Size<FabricRequest>()),
        ("the offset of a request's buffer", Offset<FabricRequest>(nameof(FabricRequest.Buffer))),
        ("the size of a completion", Size<FabricCompletion>()),
        ("the size of the counters", Size<FabricNative.Counters>()),
        ("the window", FabricNative.Window),
    ];

    private static string? Compare()
    {
        try
        {
            Span<ulong> echoed = stackalloc ulong[64];
            fixed (ulong* values = echoed)
            {
                var count = rcmp_layout_echo(values, echoed.Length);
                return Difference(Expected(), echoed[..Math.Min(count, echoed.Length)]);
            }
        }
        catch (DllNotFoundException e)
        {
            return $"librcmpshim.so cannot be loaded: {e.Message} Build Rcmp.Core, which makes it with gcc, and keep it beside Rcmp.Core.dll.";
        }
        catch (EntryPointNotFoundException e)
        {
            return $"librcmpshim.so is of another build: {e.Message} Rebuild Rcmp.Core.";
        }
    }

    private static ulong Size<T>() => (ulong)Unsafe.SizeOf<T>();

    private static ulong Offset<T>(string field) => (ulong)Marshal.OffsetOf<T>(field);

    [LibraryImport(FabricNative.Library)]
    private static partial int rcmp_layout_echo(ulong* values, int count);
}
