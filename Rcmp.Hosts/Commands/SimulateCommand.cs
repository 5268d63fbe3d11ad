using System.CommandLine;
using System.Globalization;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Simulation;
using Rcmp.Protocol;

namespace Rcmp.Hosts.Commands;

internal sealed partial class SimulateCommand : RcmpCommand
{
    private const int TraceLinesMax = 400;
    private const int ViolationsMax = 20;
    private const int RacksMax = 16;
    private const int PagesMax = 4096;

    private const string About =
        "Run the pool's protocol in a simulated world, from a seed: messages are lost, repeated, delayed and reordered, daemons, clients, directory and master die and come back at any step, and "
        + "after every step the rules are checked. A seed that breaks one prints its shortest schedule; the same seed always does the same. Exit code 1 if a rule was broken.";

    private readonly Option<long?> _seed = SharedOptions.Count("--seed", "The first seed (default 1).", 0);
    private readonly Option<long?> _seeds = SharedOptions.Count("--seeds", "How many seeds, one after the other (default 1).", 1);
    private readonly Option<Duration?> _duration = SharedOptions.Time("--duration", "Go on with further seeds for so long.");
    private readonly Option<long?> _racks = SharedOptions.Count("--racks", "Racks (default 3).", 2, RacksOfScaleMax);
    private readonly Option<long?> _clients = SharedOptions.Count("--clients", "Clients, spread over the racks (default 6).", 1, 256);
    private readonly Option<long?> _pages = SharedOptions.Count("--pages", "Pages at most (default 6).", 1, PagesOfScaleMax);
    private readonly Option<long?> _steps = SharedOptions.Count("--steps", "Steps with faults, of each seed; then all must come right (default 2500).", 1, int.MaxValue);
    private readonly Option<string?> _mutation = SharedOptions.Choice(
        "--mutation", "Leave out a rule of the protocol, to see that it is noticed.", [.. Enum.GetNames<ProtocolMutation>().Where(n => n != nameof(ProtocolMutation.None))]);

    private readonly Option<bool> _trace = new("--trace") { Description = "Print every step of the seed." };
    private readonly Option<bool> _json = SharedOptions.Json();

    public SimulateCommand()
        : base("simulate", About)
    {
        _mutation.HelpName = "RULE";
        foreach (var option in new Option[] { _seed, _seeds, _duration, _racks, _clients, _pages, _steps, _mutation, _trace, _scale }.Concat(ScaleOnly).Append(_json)) Add(option);
    }

    public override Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        if (context.Get(_scale)) return RunScaleAsync(context, ct);
        if (Array.Find(ScaleOnly, context.Has) is { } alien) throw CommandException.Usage($"{alien.Name} needs --scale");
        if (context.Get(_racks) > RacksMax) throw CommandException.Usage($"--racks: {context.Get(_racks)} is not from 2 to {RacksMax}, without --scale");
        if (context.Get(_pages) > PagesMax) throw CommandException.Usage($"--pages: {context.Get(_pages)} is not from 1 to {PagesMax}, without --scale");
        if (context.Has(_seeds) && context.Has(_duration)) throw CommandException.Usage("--seeds and --duration cannot be given together");
        var defaults = new SimOptions((ulong)(context.Get(_seed) ?? 1));
        var options = defaults with
        {
            Steps = (int)(context.Get(_steps) ?? defaults.Steps),
            Racks = (int)(context.Get(_racks) ?? defaults.Racks),
            Clients = (int)(context.Get(_clients) ?? defaults.Clients),
            Pages = (int)(context.Get(_pages) ?? defaults.Pages),
            Mutation = Enum.Parse<ProtocolMutation>(context.Get(_mutation) ?? nameof(ProtocolMutation.None)),
        };
        var json = context.Get(_json);
        var text = json ? context.Error : context.Out;
        if (context.Get(_trace))
        {
            foreach (var line in SimResult.Of(options with { Trace = true }).Trace) text.WriteLine(line);
        }

        var time = context.Has(_duration) ? context.Get(_duration)?.Value : null;
        var found = SimSearch.Run(
            options, time is null ? context.Get(_seeds) ?? 1 : long.MaxValue, ct, time,
            progress: so => context.Error.WriteLine($"{so.Elapsed.TotalMinutes,6:0.0} min  {so.Seeds} seeds, {Counts.Short(so.Steps)} steps, {so.Violations.Count} broke a rule"));
        // Whoever ends a long run wants what it has found, soon.
        var shortest = found.Violations.Count == 0 || ct.IsCancellationRequested ? null : SimShrinker.Shrink(options with { Seed = found.Violations[0].Seed });
        if (shortest is not null) PrintSchedule(text, found.Violations[0], shortest);
        if (json) JsonOutput.Write(context.Out, ToJson(options, found, shortest));
        else PrintSummary(text, found);
        ct.ThrowIfCancellationRequested();
        return Task.FromResult(found.Violations.Count == 0 ? ExitCodes.Done : ExitCodes.CheckFailed);
    }

    private static object ToJson(SimOptions options, SimSearchResult found, SimResult? shortest) => new
    {
        ok = found.Violations.Count == 0,
        seed = options.Seed,
        seeds = found.Seeds,
        steps = found.Steps,
        racks = options.Racks,
        clients = options.Clients,
        pages = options.Pages,
        operations = found.Operations,
        moves = found.Moves,
        violations = found.Violations.Count,
        faults = found.Faults.Counts,
        stepsPerSecond = Math.Round(found.StepsPerSecond),
        elapsedSeconds = Math.Round(found.Elapsed.TotalSeconds, 1),
        broken = found.Violations.Take(ViolationsMax).Select(v => new { seed = v.Seed, step = v.Steps, rule = v.Violation }),
        violation = found.Violations.Count == 0 ? null : new
        {
            seed = found.Violations[0].Seed,
            rule = found.Violations[0].Violation,
            step = found.Violations[0].Steps,
            shortest = shortest?.Violation,
            schedule = shortest?.Schedule.Made.Select(m => string.Create(CultureInfo.InvariantCulture, $"{m.NowNs / 1000.0:0.000} us: {m.What}")),
        },
    };

    private static void PrintSchedule(TextWriter writer, SimResult first, SimResult shortest)
    {
        writer.WriteLine($"seed {first.Seed} breaks a rule at step {first.Steps}: {first.Violation}");
        writer.WriteLine();
        writer.WriteLine($"Its shortest schedule, {shortest.Schedule.Made.Count} of {first.Schedule.Made.Count} choices, breaks one at step {shortest.Steps}: {shortest.Violation}");
        foreach (var (_, nowNs, what) in shortest.Schedule.Made) writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{nowNs / 1000.0,10:0.000} us  {what}"));
        writer.WriteLine();
        var skipped = int.Max(0, shortest.Trace.Count - TraceLinesMax);
        writer.WriteLine(skipped == 0 ? "Step by step:" : $"Step by step, without the first {skipped} lines:");
        foreach (var line in shortest.Trace.Skip(skipped)) writer.WriteLine(line);
        writer.WriteLine();
    }

    private static void PrintSummary(TextWriter writer, SimSearchResult found)
    {
        writer.WriteLine(
            $"{found.Seeds} seeds, {Counts.Short(found.Steps)} steps ({Counts.Short((long)found.StepsPerSecond)} a second), {Counts.Short(found.Operations)} operations, {Counts.Short(found.Moves)} moves");
        foreach (var (fault, count) in found.Faults.Counts) writer.WriteLine($"  {fault,-28}{count,12}");
        writer.WriteLine(found.Violations.Count == 0 ? "every rule holds" : $"{found.Violations.Count} of the seeds broke a rule:");
        foreach (var violation in found.Violations.Take(ViolationsMax)) writer.WriteLine($"  seed {violation.Seed}, step {violation.Steps}: {violation.Violation}");
    }
}
