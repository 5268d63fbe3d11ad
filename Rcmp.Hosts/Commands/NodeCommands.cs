using System.CommandLine;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Nodes;
using Rcmp.Hosts.Cli;
using Rcmp.Runtime;

namespace Rcmp.Hosts.Commands;

/// <summary>What <c>master</c> and <c>rack</c> have in common.</summary>
internal abstract class NodeCommand : RcmpCommand
{
    private readonly Option<string?> _readyFile = SharedOptions.Text("--ready-file", "FILE", "Written when the node serves.");
    private readonly Option<bool> _untilInputEnds = new("--until-input-ends") { Description = "End when standard input does, and remove the region.", Hidden = true };

    protected NodeCommand(string name, string description)
        : base(name, description)
    {
        Add(Config);
        Add(_readyFile);
        Add(_untilInputEnds);
    }

    protected Option<string?> Config { get; } = SharedOptions.Config();

    protected string RequiredConfig(CommandContext context) =>
        context.Get(Config) ?? throw CommandException.Usage($"{Name} needs --config FILE; hocon/{Name}.conf is an example");

    /// <summary>Runs a node until Ctrl-C or SIGTERM, which is how it ends properly.</summary>
    protected async Task<int> RunNodeAsync(CommandContext context, NodeOptions options, Func<Action<string>, Microsoft.Extensions.Logging.ILoggerFactory, CancellationToken, Task> run, CancellationToken ct)
    {
        using var loggers = NodeLogging.Create(options.Common, context);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var inputEnded = context.Get(_untilInputEnds) ? WatchInput(context, ended) : null;
        await run(text => WriteReadyFile(context, text), loggers, ended.Token);
        if (inputEnded is { IsCompleted: true } && !ct.IsCancellationRequested) OnParentGone();
        return ExitCodes.Done;
    }

    /// <summary>Whoever started this node is gone and cannot clean up.</summary>
    protected virtual void OnParentGone()
    {
    }

    private void WriteReadyFile(CommandContext context, string text)
    {
        if (context.Get(_readyFile) is not { } path) return;
        File.WriteAllText(path + ".new", text);
        File.Move(path + ".new", path, true);
    }

    private static Task WatchInput(CommandContext context, CancellationTokenSource ended) => Task.Run(async () =>
    {
        while (context.Io.In.ReadLine() is not null)
        {
        }
        await ended.CancelAsync();
    });
}

internal sealed class MasterCommand() : NodeCommand("master", "Run a master until Ctrl-C.")
{
    public override Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var options = MasterNodeOptions.Load(RequiredConfig(context));
        return RunNodeAsync(context, options.Node, (ready, loggers, stop) => MasterNode.RunAsync(options, loggers, () => ready(""), stop), ct);
    }
}

internal sealed class RackCommand : NodeCommand
{
    private RackNodeOptions? _options;

    public RackCommand()
        : base("rack", "Run a rack's daemon until Ctrl-C; or take a rack out of the pool.")
    {
        Add(RackOrderCommand.Drain());
        Add(RackOrderCommand.Forget());
    }

    public override Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var options = _options = RackNodeOptions.Load(RequiredConfig(context));
        return RunNodeAsync(context, options.Node, async (ready, loggers, stop) =>
        {
            await using var node = new RackNode(options, loggers);
            await MasterNode.RunAsync(node, () => ready(node.Host.Rack.ToString()), stop);
        }, ct);
    }

    protected override void OnParentGone() => RegionFiles.Remove(_options!.Region.Path);
}
