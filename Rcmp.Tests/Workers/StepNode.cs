using System.Runtime.InteropServices;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Nodes;
using Rcmp.Hosts.Cli;
using Rcmp.Runtime;

namespace Rcmp.Tests.Workers;

/// <summary>A master or a rack as <c>rcmp</c> runs it, but for what looks at its directory shards: <see cref="StepFiles"/> say at which step it ends itself.</summary>
internal static class StepNode
{
    public const string Switch = "--rcmp-step-node";

    /// <summary>What stands before the command line that starts a node of <c>rcmp</c>.</summary>
    public static IReadOnlyList<string> Launcher => ["dotnet", typeof(StepNode).Assembly.Location, Switch];

    /// <param name="command">The command line that would have started the node.</param>
    public static async Task<int> RunAsync(string[] command)
    {
        if (command is not [_, _, var role, "--config", var configuration, "--ready-file", var readyFile, "--until-input-ends"])
            throw new ArgumentException($"not a node's command line: {string.Join(' ', command)}");
        using var ended = new CancellationTokenSource();
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            ended.Cancel();
        });
        var inputEnded = Task.Run(async () =>
        {
            while (Console.In.ReadLine() is not null)
            {
            }

            // Whoever waits for it goes on elsewhere: this task must have ended by then.
            await ended.CancelAsync();
        });
        var context = new CommandContext(CommandTree.Build().Root.Parse([]), CommandIo.OfProcess(), verbose: false, color: false);
        var observer = new StepObserver(new StepFiles(Path.GetDirectoryName(configuration)!));
        if (role == "master")
        {
            var options = MasterNodeOptions.Load(configuration);
            using var loggers = NodeLogging.Create(options.Node.Common, context);
            await using var node = new MasterNode(options, loggers) { ShardObserver = observer };
            await MasterNode.RunAsync(node, () => BeReady(""), ended.Token);
        }
        else
        {
            var options = RackNodeOptions.Load(configuration);
            using var loggers = NodeLogging.Create(options.Node.Common, context);
            await using (var node = new RackNode(options, loggers) { ShardObserver = observer }) await MasterNode.RunAsync(node, () => BeReady(node.Host.Rack.ToString()), ended.Token);
            // The test is gone and cannot clean up.
            if (inputEnded.IsCompleted) RegionFiles.Remove(options.Region.Path);
        }

        return 0;

        void BeReady(string text)
        {
            File.WriteAllText(readyFile + ".new", text);
            File.Move(readyFile + ".new", readyFile, true);
        }
    }
}
