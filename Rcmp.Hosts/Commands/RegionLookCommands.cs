using System.CommandLine;
using System.Globalization;
using Rcmp.Hosts.Cli;
using Rcmp.Regions;

namespace Rcmp.Hosts.Commands;

internal sealed class RegionInspectCommand : RcmpCommand
{
    private readonly Argument<string> _path = new("PATH") { Description = "The region's file or device." };
    private readonly Option<bool> _json = SharedOptions.Json();

    public RegionInspectCommand()
        : base("inspect", "Show a region: layout, generation, roster, frames by state, sessions. Whoever uses it is not disturbed.")
    {
        Add(_path);
        Add(_json);
    }

    public override Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var report = RegionInspector.Inspect(context.Get(_path));
        if (context.Get(_json)) JsonOutput.Write(context.Out, ToJson(report));
        else Print(context.Out, report);
        return Task.FromResult(ExitCodes.Done);
    }

    private static object ToJson(RegionReport report) => new
    {
        path = report.Path,
        regionId = report.Layout.RegionId,
        poolId = report.Layout.PoolId,
        rack = report.State?.Rack.Value,
        generation = report.State?.Generation.Value,
        formatVersion = RegionLayout.FormatVersion,
        pageSize = report.Layout.PageSize,
        bytes = report.Layout.RegionBytes,
        framesTotal = report.Layout.FrameCount,
        frames = report.Frames.ToDictionary(f => Word(f.Key), f => f.Value),
        entries = report.Entries.ToDictionary(e => Word(e.Key), e => e.Value),
        links = report.Links,
        daemonProcess = report.DaemonProcess,
        sessions = report.Sessions.Select(s => new { index = s.Index, state = Word(s.State), process = s.ProcessId, slotsUsed = s.SlotsUsed, slotsBusy = s.SlotsBusy, usesFence = s.UsesFence }),
        roster = report.State?.Roster.Select(r => new { rack = r.Rack.Value, regionId = r.RegionId, generation = r.Generation.Value, address = r.NodeAddress, forgotten = r.Forgotten }),
    };

    private static void Print(TextWriter writer, RegionReport report)
    {
        var layout = report.Layout;
        Line("region", $"{layout.RegionId} of pool {layout.PoolId}, format {RegionLayout.FormatVersion}");
        Line("size", $"{new ByteSize(layout.RegionBytes)}: {Number(layout.FrameCount)} frames of {new ByteSize(layout.PageSize)}");
        Line("state", report.State is not { } state ? "both copies are damaged"
            : $"{(state.Rack.IsNone ? "never registered" : $"rack {state.Rack}")}, generation {state.Generation}, sequences given out below {state.SequenceReserved}");
        Line("daemon", report.DaemonProcess == 0 ? "none" : $"process {report.DaemonProcess}");
        Line("frames", string.Join(", ", report.Frames.Select(f => $"{Number(f.Value)} {Word(f.Key)}")));
        Line("page table", $"{Number(layout.PageTableEntries)} entries: {string.Join(", ", report.Entries.Select(e => $"{Number(e.Value)} {Word(e.Key)}"))}");
        Line("links", $"{report.Links} of {layout.LinkSlots}");
        Line("sessions", $"{report.Sessions.Count(s => s.Index > 0)} of {layout.SessionCount - 1}, {layout.SlotsPerSession} guard slots each");
        foreach (var session in report.Sessions.Where(s => s.Index > 0))
            Line("", $"{session.Index}: {Word(session.State)}, process {session.ProcessId}, {session.SlotsBusy} of {session.SlotsUsed} slots busy{(session.UsesFence ? ", with fences" : "")}");
        Line("layout", $"state {Offset(layout.StateOffset)}, links {Offset(layout.LinkTableOffset)}, page table {Offset(layout.PageTableOffset)}, hit words {Offset(layout.HitTableOffset)}, frame table {Offset(layout.FrameTableOffset)}, "
            + $"sessions {Offset(layout.SessionsOffset)}, counters {Offset(layout.CountersOffset)}, references {Offset(layout.ReferencesOffset)}, frames {Offset(layout.FramesOffset)}");
        foreach (var entry in report.State?.Roster ?? [])
            Line("roster", $"rack {entry.Rack}: region {entry.RegionId}, generation {entry.Generation}, {(entry.NodeAddress.Length == 0 ? "not heard of" : entry.NodeAddress)}{(entry.Forgotten ? ", forgotten" : "")}");

        void Line(string name, string text) => writer.WriteLine($"{name,-11} {text}");
    }

    private static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Offset(long value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);
}

internal sealed class RegionCheckCommand : RcmpCommand
{
    private readonly Argument<string> _path = new("PATH") { Description = "The region's file or device." };
    private readonly Option<bool> _json = SharedOptions.Json();

    public RegionCheckCommand()
        : base("check", "Check the invariants of a region's superblock, frame table and page table; exit code 1 if it is damaged.")
    {
        Add(_path);
        Add(_json);
    }

    public override Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var path = context.Get(_path);
        var result = RegionInspector.Check(path);
        var ok = result.Findings.Count == 0;
        if (context.Get(_json))
        {
            JsonOutput.Write(context.Out, new { ok, path, findings = result.Findings, notes = result.Notes });
            return Task.FromResult(ok ? ExitCodes.Done : ExitCodes.CheckFailed);
        }
        foreach (var note in result.Notes) context.Out.WriteLine($"note: {note}");
        foreach (var finding in result.Findings) context.Out.WriteLine($"damaged: {finding}");
        if (!ok) throw CommandException.CheckFailed($"{path} is damaged: {result.Findings[0].TrimEnd('.')}" + (result.Findings.Count > 1 ? $", and {result.Findings.Count - 1} more" : ""));
        context.Out.WriteLine($"{path}: every invariant holds");
        return Task.FromResult(ExitCodes.Done);
    }
}
