using System.CommandLine;
using Rcmp.DataPath;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Clients;
using Rcmp.Hosts.Shell;

namespace Rcmp.Hosts.Commands;

internal sealed class ShellHostCommand : RcmpCommand
{
    private readonly ClientTarget _target = new();

    public ShellHostCommand()
        : base("shell", "Allocate, read and write by hand, or by lines of a pipe; 'help' in it lists its commands.") => _target.AddTo(this);

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        await using var pool = await _target.ConnectAsync(context, ct);
        await new PoolShell(pool, context.Io, () => Describe(pool.Statistics)).RunAsync(ct);
        return ExitCodes.Done;
    }

    private static string Describe(PoolClientStatistics s) =>
        $"rackHits {s.RackHits} directIo {s.DirectIo} (reads {s.DirectIoReads} writes {s.DirectIoWrites} atomics {s.DirectIoAtomics}) misses {s.Misses} retries {s.Retries} brokenConnections {s.BrokenConnections}";
}

internal sealed class LocateCommand : RcmpCommand
{
    private readonly Argument<GAddr> _address = SharedOptions.Address();
    private readonly ClientTarget _target = new();
    private readonly Option<bool> _json = SharedOptions.Json();

    public LocateCommand()
        : base("locate", "Say where a page is, how hot it is in each rack, and why it moved or stayed.")
    {
        Add(_address);
        _target.AddTo(this);
        Add(_json);
    }

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        await using var pool = await _target.ConnectAsync(context, ct);
        var location = await pool.LocateAsync(context.Get(_address), ct);
        if (context.Get(_json))
        {
            JsonOutput.Write(context.Out, new
            {
                address = location.Address,
                pageId = location.PageId.ToString(),
                owner = location.Owner.Value,
                epoch = location.Epoch,
                phase = location.Phase,
                heat = location.Heat.Select(h => new { rack = h.Rack.Value, value = h.Value }),
                lastDecision = string.IsNullOrEmpty(location.LastDecision) ? null : location.LastDecision,
            });
        }
        else
        {
            context.Out.WriteLine(PoolShell.Describe(location));
        }
        return ExitCodes.Done;
    }
}

/// <summary>A client in a process of its own, for demo, bench and tests; see <see cref="ClientServer"/>.</summary>
internal sealed class ClientProcessCommand : RcmpCommand
{
    private readonly Option<string?> _config = SharedOptions.Config();

    public ClientProcessCommand()
        : base("client-process", "A client that takes requests as JSON lines.")
    {
        Hidden = true;
        Add(_config);
    }

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var configuration = context.Get(_config) ?? throw CommandException.Usage("client-process needs --config FILE");
        await using var pool = await ClientTarget.ConnectAsync(configuration, ct);
        await new ClientServer(pool, context.Io.In, context.Out).RunAsync(ct);
        return ExitCodes.Done;
    }
}
