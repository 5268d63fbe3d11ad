using System.Globalization;
using System.Security.Cryptography;
using Rcmp.Cluster.Messages;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Bench;

/// <summary>The commands on several machines that measure together: they meet at barriers of the cluster.</summary>
internal sealed class BenchNodes : IAsyncDisposable
{
    private const string FirstBarrier = "bench";

    private readonly BenchOptions _options;
    private readonly PoolMonitor? _monitor;
    private readonly Action<string> _say;
    private readonly ulong _run = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
    private string _session = "";

    private BenchNodes(BenchOptions options, PoolMonitor? monitor, Action<string> say) => (_options, _monitor, _say) = (options, monitor, say);

    /// <summary>It has the pages.</summary>
    public bool IsFirst => _options.Node == 0;

    /// <summary>Waits for nobody.</summary>
    public static BenchNodes Alone => new(new BenchOptions(), null, _ => { });

    /// <summary>Returns when all are there.</summary>
    public static async Task<BenchNodes> JoinAsync(BenchOptions options, Action<string> say, CancellationToken ct)
    {
        if (options.Nodes == 1) return Alone;
        var nodes = new BenchNodes(options, PoolMonitor.Of(options.Configuration!), say);
        try
        {
            if (nodes.IsFirst) say($"the others: the same command with --node 1{(options.Nodes > 2 ? $" to {options.Nodes - 1}" : "")}, and a --config of their own machine's rack");
            // The first barrier has a name that all know; those after it are this run's own, so that nobody who is left from another one is met there.
            await nodes._monitor!.StatusAsync(ct);
            nodes._session = await nodes.PassAsync(FirstBarrier, nodes._run.ToString("x16", CultureInfo.InvariantCulture), ct);
            return nodes;
        }
        catch
        {
            await nodes.DisposeAsync();
            throw;
        }
    }

    /// <summary>Returns when all have come to this place, with what node 0 said there.</summary>
    public Task<string> MeetAsync(string place, string text, CancellationToken ct) =>
        _monitor is null ? Task.FromResult(text) : PassAsync($"{FirstBarrier}/{_session}/{place}", text, ct);

    public async ValueTask DisposeAsync()
    {
        if (_monitor is not null) await _monitor.DisposeAsync();
    }

    private async Task<string> PassAsync(string barrier, string text, CancellationToken ct)
    {
        var arrival = new ArriveAtBarrier(default, barrier, _options.Nodes, _options.Node, _run, IsFirst ? text : "");
        var told = "";
        var answer = await _monitor!.Admin.PassBarrierAsync(_monitor.Answering, arrival, Tell, _options.Wait.Value, ct);
        return answer.Status switch
        {
            BarrierStatus.Open => answer.Text,
            BarrierStatus.Waiting => throw new CommandException(
                ExitCodes.NodeMissing, $"{Names(answer)} did not come within {_options.Wait}: all need the same --nodes and the same pool; --wait gives them longer"),
            BarrierStatus.Taken => throw CommandException.Usage($"--node: another process waits as node {_options.Node} already"),
            BarrierStatus.OtherCount => throw CommandException.Usage($"--nodes: others wait for {answer.Nodes} nodes, not for {_options.Nodes}"),
            _ => throw CommandException.Unreachable("the pool's master does not take the barrier: is it another version of rcmp?"),
        };

        void Tell(BarrierAnswered waiting)
        {
            var line = $"waiting for {Names(waiting)}";
            if (line != told) _say(told = line);
        }
    }

    private static string Names(BarrierAnswered waiting) =>
        (waiting.Missing.Count == 1 ? "node " : "nodes ") + string.Join(", ", waiting.Missing) + (waiting.Missing.Count == BarrierAnswered.MissingMax ? ", …" : "");
}
