using System.CommandLine;
using Rcmp.Hosts.Chaos;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Commands;

internal sealed class ChaosCommand : RcmpCommand
{
    private const string About = "Kill and stop the processes of a local cluster under load, from a seed, and check in the end that nothing is lost.";

    private readonly Option<Duration?> _duration = SharedOptions.Time("--duration", "Inject faults for this time (default 60s).");
    private readonly Option<long?> _seed = SharedOptions.Count("--seed", "What is done to whom follows from it (default 1).", 0);
    private readonly Option<long?> _masters = SharedOptions.Count("--masters", "Masters (default 2).", 1, 9);
    private readonly Option<long?> _racks = SharedOptions.Count("--racks", "Racks (default 3).", 1, 16);
    private readonly Option<long?> _clients = SharedOptions.Count("--clients", "Client processes, in one rack after the other (default 3).", 1, ChaosLayout.ClientsMax);
    private readonly Option<bool> _keep = new("--keep") { Description = "Keep logs and journals, in a directory that is named at the end." };
    private readonly Option<bool> _json = SharedOptions.Json();

    public ChaosCommand()
        : base("chaos", About)
    {
        foreach (var option in new Option[] { _duration, _seed, _masters, _racks, _clients, _keep, _json }) Add(option);
    }

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var defaults = new ChaosOptions();
        var options = new ChaosOptions
        {
            Duration = context.Get(_duration) ?? defaults.Duration,
            Seed = (ulong)(context.Get(_seed) ?? (long)defaults.Seed),
            Masters = (int)(context.Get(_masters) ?? defaults.Masters),
            Racks = (int)(context.Get(_racks) ?? defaults.Racks),
            Clients = (int)(context.Get(_clients) ?? defaults.Clients),
            Keep = context.Get(_keep),
        };
        var json = context.Get(_json);
        var writer = TextWriter.Synchronized(json ? context.Error : context.Out);
        var (result, _) = await new ChaosRun(options, writer.WriteLine).RunAsync(ct);
        ChaosView.Print(writer, !json && context.Io.OutIsTerminal && context.Color, result);
        if (json) JsonOutput.Write(context.Out, result);
        return result.Ok ? ExitCodes.Done : ExitCodes.CheckFailed;
    }
}
