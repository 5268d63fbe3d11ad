using Rcmp.Native;
using Rcmp.Protocol;

namespace Rcmp.Regions;

/// <summary>A session record as it stands in the region.</summary>
internal sealed record SessionRecordReport(int Index, SessionSlotState State, SessionToken Token, uint ProcessId, bool UsesFence, int SlotsUsed, int SlotsBusy);

/// <summary>What is in a region.</summary>
/// <param name="Path">The file.</param>
/// <param name="Layout">From the superblock.</param>
/// <param name="DaemonProcess">Of the daemon that has it open; 0 if none has.</param>
/// <param name="State">The newest valid copy; null if both are damaged.</param>
/// <param name="Frames">Rows by state.</param>
/// <param name="Entries">Page-table entries in use, by kind of location.</param>
/// <param name="Links">Links in use.</param>
/// <param name="Sessions">Records in use.</param>
internal sealed record RegionReport(
    string Path, RegionLayout Layout, uint DaemonProcess, SuperblockState? State, IReadOnlyDictionary<RowState, long> Frames,
    IReadOnlyDictionary<LocationKind, long> Entries, int Links, IReadOnlyList<SessionRecordReport> Sessions);

/// <summary>What a check found.</summary>
/// <param name="Findings">Broken invariants: the region is damaged.</param>
/// <param name="Notes">What a daemon that was killed may leave, and the next start repairs.</param>
internal sealed record RegionCheckResult(IReadOnlyList<string> Findings, IReadOnlyList<string> Notes);

/// <summary>Looks into a region without touching it, whoever uses it.</summary>
internal static unsafe class RegionInspector
{
    public static RegionReport Inspect(string path)
    {
        using var region = Region.OpenInspector(path);
        var frames = Enum.GetValues<RowState>().ToDictionary(state => state, _ => 0L);
        for (long frame = 0; frame < region.Layout.FrameCount; frame++)
        {
            var state = (RowState)(region.FrameTable[frame * 8] & FrameRow.StateMask);
            frames[state] = frames.GetValueOrDefault(state) + 1;
        }

        var entries = Enum.GetValues<LocationKind>().ToDictionary(kind => kind, _ => 0L);
        for (long i = 0; i <= region.PageTableMask; i++)
        {
            var entry = region.PageTable[i];
            if (entry.Page is not (0 or PageTable.Tombstone))
                entries[new Location(entry.Location).Kind]++;
        }

        var links = Enumerable.Range(0, region.Layout.LinkSlots).Count(slot => region.ReadLink(slot) is not null);
        var daemon = IsDaemonRunning(path) ? region.ReadSession(0).ProcessId : 0;
        return new RegionReport(
            path, region.Layout, daemon, StateCopies.Read(region.Base + region.Layout.StateOffset)?.State, frames, entries, links, ReadSessions(region));
    }

    /// <summary>The pages that the region's rows say it owns.</summary>
    public static IReadOnlyList<PageId> ResidentPages(string path)
    {
        using var region = Region.OpenInspector(path);
        var pages = new List<PageId>();
        for (long frame = 0; frame < region.Layout.FrameCount; frame++)
        {
            var row = RegionStore.Mask(FrameRow.FromWords(new ReadOnlySpan<ulong>(region.FrameTable + frame * 8, 8)));
            if (row.State == RowState.Resident) pages.Add(row.Page);
        }

        return pages;
    }

    /// <summary>Whether a daemon holds the region's lock.</summary>
    public static bool IsDaemonRunning(string path)
    {
        using var file = SystemCalls.FileDescriptor.TryOpen(path, false, false, out _);
        return file is not null && SystemCalls.TryLock(file.Number) == -SystemErrors.WouldBlock;
    }

    /// <summary>Checks all invariants of superblock, frame table and page table. While a daemon works on it, what does not last is no finding.</summary>
    public static RegionCheckResult Check(string path)
    {
        Region region;
        try
        {
            region = Region.OpenInspector(path);
        }
        catch (RegionDamagedException e)
        {
            return new RegionCheckResult([e.Message], []);
        }

        using (region)
        {
            var isRunning = IsDaemonRunning(path);
            var result = new RegionCheck(region).Run();
            for (var again = 0; isRunning && again < 4 && result.Findings.Count + result.Notes.Count > 0; again++)
            {
                Thread.Sleep(50);
                var next = new RegionCheck(region).Run();
                result = new RegionCheckResult([.. result.Findings.Intersect(next.Findings)], [.. result.Notes.Intersect(next.Notes)]);
            }

            return result;
        }
    }

    private static List<SessionRecordReport> ReadSessions(Region region)
    {
        var sessions = new List<SessionRecordReport>();
        for (var index = 0; index < region.Layout.SessionCount; index++)
        {
            var header = region.ReadSession(index);
            if (header is { State: (uint)SessionSlotState.Free, Token: 0 } && index > 0)
                continue;
            var busy = Enumerable.Range(0, region.Layout.SlotsPerSession).Count(slot => region.ReadSlot(index, slot).Page != 0);
            sessions.Add(new SessionRecordReport(
                index, (SessionSlotState)header.State, new SessionToken(header.Token), header.ProcessId, header.UsesFence != 0, (int)header.SlotsUsed, busy));
        }

        return sessions;
    }
}
