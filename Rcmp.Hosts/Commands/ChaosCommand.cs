using System.CommandLine;
using Rcmp.Hosts.Chaos;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Commands;

internal sealed class ChaosCommand : RcmpCommand
{
    private const string About = "Kill and stop the processes of a local cluster and cut its links under load, from a seed, and check in the end that nothing is lost.";

    private readonly Option<Duration?> _duration = SharedOptions.Time("--duration", "Inject faults for this time (default 60s).");
    private readonly Option<long?> _seed = SharedOptions.Count("--seed", "What is done to whom follows from it (default 1).", 0);
    private readonly Option<long?> _masters = SharedOptions.Count("--masters", "Masters (default 2).", 1, 9);
    private readonly Option<long?> _racks = SharedOptions.Count("--racks", "Racks (default 3).", 1, 16);
    private readonly Option<long?> _clients = SharedOptions.Count("--clients", "Client processes, in one rack after the other (default 3).", 1, ChaosLayout.ClientsMax);
    private readonly Option<bool> _noLinks = new("--no-links") { Description = "Cut no links between nodes." };
    private readonly Option<bool> _inside = new("--inside") { Description = "The network around this process is there to be cut.", Hidden = true };
    private readonly Option<long?> _rolling = SharedOptions.Count("--rolling-restarts", "Instead of faults: end every process by SIGTERM and start it again, one after the other, so many times.", 1, 1000);
    private readonly Option<string?> _profile = SharedOptions.Choice("--timing-profile", "rcmp.timing-profile (default fast).", "fast", "default");
    private readonly Option<bool> _keep = new("--keep") { Description = "Keep logs and journals, in a directory that is named at the end." };
    private readonly Option<bool> _json = SharedOptions.Json();

    public ChaosCommand()
        : base("chaos", About)
    {
        foreach (var option in new Option[] { _duration, _seed, _masters, _racks, _clients, _noLinks, _inside, _rolling, _profile, _keep, _json }) Add(option);
    }

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var defaults = new ChaosOptions();
        if (context.Get(_duration) is { } duration && duration.Value < TimeSpan.FromSeconds(1)) throw CommandException.Usage($"--duration: {duration} is too short for a fault: give at least 1s");
        var rolling = (int)(context.Get(_rolling) ?? 0);
        var options = new ChaosOptions
        {
            Duration = context.Get(_duration) ?? defaults.Duration,
            Seed = (ulong)(context.Get(_seed) ?? (long)defaults.Seed),
            Masters = (int)(context.Get(_masters) ?? defaults.Masters),
            Racks = (int)(context.Get(_racks) ?? defaults.Racks),
            Clients = (int)(context.Get(_clients) ?? defaults.Clients),
            RollingRestarts = rolling,
            TimingProfile = context.Get(_profile) ?? defaults.TimingProfile,
            Keep = context.Get(_keep),
            CutsLinks = context.Get(_inside) || (rolling == 0 && !context.Get(_noLinks) && LinkNamespace.Problem is null),
            LinksNotCut = rolling > 0 ? "a rolling restart needs no faults" : context.Get(_noLinks) ? "--no-links was given" : LinkNamespace.Problem ?? "",
        };
        var json = context.Get(_json);
        var writer = TextWriter.Synchronized(json ? context.Error : context.Out);
        if (context.Get(_inside)) return await RunInsideAsync(context, options, ct);
        if (!options.CutsLinks) writer.WriteLine($"links between nodes are not cut: {options.LinksNotCut}");
        var result = options.CutsLinks ? await ChaosProcess.RunAsync(options, writer.WriteLine, ct) : (await new ChaosRun(options, writer.WriteLine).RunAsync(ct)).Result;
        ChaosView.Print(writer, !json && context.Io.OutIsTerminal && context.Color, result);
        if (json) JsonOutput.Write(context.Out, result);
        return result.Ok ? ExitCodes.Done : ExitCodes.CheckFailed;
    }

    /// <summary>What <see cref="ChaosProcess"/> started: ends when that does.</summary>
    private static async Task<int> RunInsideAsync(CommandContext context, ChaosOptions options, CancellationToken ct)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(ct);
        _ = Task.Run(async () =>
        {
            while (context.Io.In.ReadLine() is not null)
            {
            }
            await ended.CancelAsync();
        }, CancellationToken.None);
        var (result, _) = await new ChaosRun(options, TextWriter.Synchronized(context.Error).WriteLine).RunAsync(ended.Token);
        JsonOutput.Write(context.Out, result);
        return ExitCodes.Done;
    }
}
