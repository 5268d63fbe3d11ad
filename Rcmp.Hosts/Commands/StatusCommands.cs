using System.CommandLine;
using System.Globalization;
using Rcmp.Cluster.Messages;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;
using Spectre.Console;

namespace Rcmp.Hosts.Commands;

internal sealed class StatusCommand : RcmpCommand
{
    private readonly PoolTarget _target = new();
    private readonly Option<bool> _json = SharedOptions.Json();

    public StatusCommand()
        : base("status", "Say how a pool is: its racks, their room, sessions and heat.")
    {
        _target.AddTo(this);
        Add(_json);
    }

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var (monitor, cluster) = _target.Open(context);
        await using var _ = monitor;
        var status = await monitor.StatusAsync(ct);
        if (context.Get(_json)) JsonOutput.Write(context.Out, StatusReport.Of(status));
        else Print(context.Out, status, cluster, context.Verbose);
        return ExitCodes.Done;
    }

    private static void Print(TextWriter writer, PoolStatusAnswered status, LocalCluster? cluster, bool verbose)
    {
        writer.WriteLine($"pool {status.PoolId}, pages of {new ByteSize(status.PageSize)}, {status.DirectoryShards} directory shards, master {(status.Master.Length == 0 ? "none" : status.Master)}");
        foreach (var line in PlainTable.Lines(StatusRows.Titles, [.. status.Racks.Select(r => StatusRows.Of(r, NameOf(r, cluster)))])) writer.WriteLine(line);
        foreach (var rack in status.Racks)
        {
            if (rack.Why.Length > 0) writer.WriteLine($"rack {rack.Rack}: {rack.Why}");
            foreach (var line in verbose ? StatusRows.SessionsOf(rack) : []) writer.WriteLine(line);
            foreach (var page in rack.HeldUp) writer.WriteLine($"rack {rack.Rack}: page {page.Page} cannot move: {page.Why}, held up by {page.By} ({page.Tries} tries)");
        }
        foreach (var node in cluster?.Nodes.Where(n => n.Running is null) ?? []) writer.WriteLine($"{node.Name} does not run; its log is {node.LogPath}");
    }

    private static string NameOf(RackReport rack, LocalCluster? cluster) =>
        cluster?.Racks.FirstOrDefault(n => rack.Address.EndsWith("@" + n.Node.Address, StringComparison.Ordinal))?.Name ?? "";
}

internal sealed class TopCommand : RcmpCommand
{
    private readonly PoolTarget _target = new();
    private readonly Option<Duration?> _interval = SharedOptions.Time("--interval", "How often (default 1s).");
    private readonly Option<long?> _count = SharedOptions.Count("--count", "End after so many times (default: at Ctrl-C).", 1);

    public TopCommand()
        : base("top", "Watch a pool: room, sessions, heat and moves of its racks.")
    {
        _target.AddTo(this);
        Add(_interval);
        Add(_count);
    }

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var (monitor, _) = _target.Open(context);
        await using var _1 = monitor;
        var interval = (context.Get(_interval) ?? Duration.Seconds(1)).Value;
        var left = context.Get(_count) ?? long.MaxValue;
        if (!context.Io.OutIsTerminal)
        {
            for (; left > 0; left--)
            {
                foreach (var line in PlainTable.Lines(StatusRows.Titles, StatusRows.Of(await monitor.StatusAsync(ct)))) context.Out.WriteLine(line);
                context.Out.Flush();
                if (left > 1) await Task.Delay(interval, ct);
            }
            return ExitCodes.Done;
        }
        var console = AnsiConsole.Create(new AnsiConsoleSettings { ColorSystem = context.Color ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors });
        await console.Live(new Table()).StartAsync(async live =>
        {
            for (; left > 0; left--)
            {
                live.UpdateTarget(TableOf(await monitor.StatusAsync(ct)));
                if (left > 1) await Task.Delay(interval, ct);
            }
        });
        return ExitCodes.Done;
    }

    private static Table TableOf(PoolStatusAnswered status)
    {
        var table = new Table().Border(TableBorder.Rounded).Title(Markup.Escape($"pool {status.PoolId}"));
        foreach (var title in StatusRows.Titles) table.AddColumn(new TableColumn(Markup.Escape(title)).RightAligned());
        foreach (var row in StatusRows.Of(status)) table.AddRow([.. row.Select(Markup.Escape)]);
        return table;
    }
}

/// <summary>A rack's status, as a row of text.</summary>
internal static class StatusRows
{
    public static readonly string[] Titles = ["rack", "", "state", "frames", "free", "reserve", "pages", "sessions", "heat", "moved in", "address"];

    public static string[] Of(RackReport rack, string name) =>
    [
        rack.Rack.ToString(), name, rack.State, Number(rack.FramesTotal), Number(rack.FramesFree), Number(rack.FramesReserved), Number(rack.Resident),
        Number(rack.Sessions.Count), rack.Heat.ToString("0.#", CultureInfo.InvariantCulture), Number(rack.MovedIn), rack.Address[(rack.Address.LastIndexOf('@') + 1)..],
    ];

    /// <summary>Who has the rack's sessions, the oldest first.</summary>
    public static IEnumerable<string> SessionsOf(RackReport rack) => rack.Sessions.OrderByDescending(s => s.AgeNs).Select(s =>
        $"rack {rack.Rack}: session of {Printable.Line(s.Client)}, process {Number(s.ProcessId)}, for {Latency.Short(s.AgeNs)}{(s.Ready ? "" : ", not in use yet")}");

    public static List<string[]> Of(PoolStatusAnswered status) => [.. status.Racks.Select(r => Of(r, ""))];

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>What <c>status --json</c> prints.</summary>
internal sealed record StatusReport(string PoolId, long PageSize, IReadOnlyList<StatusRack> Racks, int DirectoryShards, string? Master)
{
    public static StatusReport Of(PoolStatusAnswered status) => new(
        status.PoolId.ToString(), status.PageSize, [.. status.Racks.Select(StatusRack.Of)], status.DirectoryShards, status.Master.Length == 0 ? null : status.Master);
}

/// <summary>A rack in <see cref="StatusReport"/>.</summary>
internal sealed record StatusRack(
    int Id, string State, string? Why, long Generation, long FramesTotal, long FramesFree, long FramesReserved, long Pages, int Sessions, double Heat, long MovedIn,
    string Address, string FabricAddress, string RegionPath, IReadOnlyList<StatusHeldUp> HeldUp, IReadOnlyList<StatusSession> SessionList)
{
    public static StatusRack Of(RackReport rack) => new(
        rack.Rack.Value, rack.State, rack.Why.Length == 0 ? null : rack.Why, (long)rack.Generation.Value, rack.FramesTotal, rack.FramesFree, rack.FramesReserved,
        rack.Resident, rack.Sessions.Count, rack.Heat, rack.MovedIn, rack.Address, rack.FabricAddress, rack.RegionPath,
        [.. rack.HeldUp.Select(h => new StatusHeldUp(h.Page.ToString(), h.Tries, h.By, h.Why))],
        [.. rack.Sessions.OrderByDescending(s => s.AgeNs).Select(s => new StatusSession(s.Client, s.ProcessId, s.AgeNs))]);
}

/// <summary>A connected client.</summary>
internal sealed record StatusSession(string Client, uint Process, long AgeNs);

/// <summary>A page that does not get quiet.</summary>
internal sealed record StatusHeldUp(string Page, int Tries, string By, string Why);
