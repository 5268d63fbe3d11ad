using System.CommandLine;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Commands;

internal sealed class LogsCommand : RcmpCommand
{
    private const long LinesDefault = 20;
    private static readonly TimeSpan FollowInterval = TimeSpan.FromMilliseconds(200);

    private readonly Argument<string?> _node = new("NODE") { Description = "One node, such as rack0 (default: all).", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<long?> _lines = SharedOptions.Count("--lines", $"How many lines of each, from the end (default {LinesDefault}).", 0, 1_000_000);
    private readonly Option<bool> _follow = new("--follow") { Description = "Go on printing until Ctrl-C." };
    private readonly Option<string?> _directory = SharedOptions.Directory();

    public LogsCommand()
        : base("logs", "Print the logs of the local cluster's nodes.")
    {
        Add(_node);
        Add(_lines);
        Add(_follow);
        Add(_directory);
    }

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var directory = Path.GetFullPath(context.Get(_directory) ?? LastCluster.Directory);
        // The logs outlive the cluster, so the files are asked and not its manifest.
        var names = Directory.Exists(directory) ? Directory.GetFiles(directory, "*.log").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal).ToList() : [];
        if (names.Count == 0) throw CommandException.Unreachable($"there are no logs in {directory}: 'rcmp up' starts a cluster");
        if (context.Find(_node) is { } wanted)
        {
            if (!names.Contains(wanted))
                throw CommandException.Usage($"there is no log of '{wanted}' in {directory}" + (Suggestions.Nearest(wanted, names) is { } near ? $": did you mean '{near}'?" : ""));
            names = [wanted];
        }
        var width = names.Max(n => n.Length);
        var readers = names.Select(name => (Prefix: names.Count == 1 ? "" : name.PadRight(width) + " | ", Reader: Open(ClusterFiles.LogOf(directory, name)))).ToList();
        foreach (var (prefix, reader) in readers) PrintTail(context, prefix, reader, (int)(context.Get(_lines) ?? LinesDefault));
        while (context.Get(_follow) && !ct.IsCancellationRequested)
        {
            foreach (var (prefix, reader) in readers)
            {
                while (reader.ReadLine() is { } line) context.Out.WriteLine(prefix + line);
            }
            context.Out.Flush();
            await Task.Delay(FollowInterval, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        foreach (var (_, reader) in readers) reader.Dispose();
        return ExitCodes.Done;
    }

    private static StreamReader Open(string path) => new(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));

    private static void PrintTail(CommandContext context, string prefix, StreamReader reader, int count)
    {
        var last = new Queue<string>();
        while (reader.ReadLine() is { } line)
        {
            last.Enqueue(line);
            if (last.Count > count) last.Dequeue();
        }
        foreach (var line in last) context.Out.WriteLine(prefix + line);
    }
}
