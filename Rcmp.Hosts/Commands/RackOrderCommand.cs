using System.CommandLine;
using System.Globalization;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Status;
using Rcmp.Hosts.Cli;
using Rcmp.Protocol.Messages;

namespace Rcmp.Hosts.Commands;

/// <summary><c>rack drain</c> and <c>rack forget</c>: an operator's order to the master, which any node passes on.</summary>
internal sealed class RackOrderCommand : RcmpCommand
{
    private readonly Argument<string> _rack = new("RACK") { Description = "The rack's number, as status shows it." };
    private readonly PoolTarget _target = new();
    private readonly Option<Duration?> _timeout = SharedOptions.Time("--timeout", "How long to wait for the answer (default 60s).");
    private readonly Func<PoolAdmin, NodeAddress, RackId, TimeSpan, CancellationToken, Task<AdminAnswered>> _order;

    private RackOrderCommand(
        string name, string description, Func<PoolAdmin, NodeAddress, RackId, TimeSpan, CancellationToken, Task<AdminAnswered>> order)
        : base(name, description)
    {
        _order = order;
        Add(_rack);
        _target.AddTo(this);
        Add(_timeout);
    }

    public static RackOrderCommand Drain() => new(
        "drain", "Move all pages of a rack elsewhere, then take it out of the pool.",
        (admin, node, rack, timeout, ct) => admin.DrainRackAsync(node, rack, timeout, ct));

    public static RackOrderCommand Forget() => new(
        "forget", "Take a rack out of the pool that will not come back: its pages are lost, and its region is refused for ever.",
        (admin, node, rack, timeout, ct) => admin.ForgetRackAsync(node, rack, timeout, ct));

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        if (!ushort.TryParse(context.Get(_rack), NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number is 0 or > RackId.Max)
            throw CommandException.Usage($"'{context.Get(_rack)}' is not a rack's number: 1 to {RackId.Max}");
        var (monitor, _) = _target.Open(context);
        await using var _1 = monitor;
        // A node that answers is needed, whichever it is.
        await monitor.StatusAsync(ct);
        var answer = await _order(monitor.Admin, monitor.Answering, new RackId(number), (context.Get(_timeout) ?? Duration.Seconds(60)).Value, ct);
        if (!answer.Ok) throw CommandException.CheckFailed(answer.Message);
        context.Out.WriteLine(answer.Message);
        return ExitCodes.Done;
    }
}
