using System.Globalization;
using Rcmp.Hosts.Cli;
using Spectre.Console;

namespace Rcmp.Hosts.Chaos;

/// <summary>Prints what was injected and seen.</summary>
internal static class ChaosView
{
    public static void Print(TextWriter writer, bool color, ChaosResult result)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            ColorSystem = color ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
        });
        console.Profile.Width = 110;
        if (result.Restarts.Count > 0) console.Write(Restarts(result, color));
        else console.Write(Faults(result, color));
        if (!result.LinksCut) writer.WriteLine($"links between nodes are not cut: {result.LinksNotCut}");
        writer.WriteLine(
            $"{Counts.Short(result.Operations)} operations; {Counts.Short(result.AcknowledgedWrites)} writes acknowledged, {result.UnknownWrites} of unknown outcome ({result.LateWrites} took effect late), "
            + $"{Counts.Short(result.TransientErrors)} transient errors; {Counts.Short(result.Moves)} pages brought from another rack; in the end a new client had read everything after {Seconds(result.ReadableNs)}");
        writer.WriteLine(
            $"{result.Histories} histories of words that all clients used, {Counts.Short(result.HistoryOperations)} operations, {result.HistoryUnknown} of unknown outcome: judged by the linearizability checker");
        writer.WriteLine(
            $"nodes and clients: at most {result.NodeFilesMax} open files and {new ByteSize(result.NodeMemoryMax).ToShortString()} of own memory; "
            + $"after {NodeHealth.WarmUp.TotalSeconds:0} s of a process, in up to {result.NodeLifeSeconds:0} s, at most {result.NodeFilesGrowth} and {new ByteSize(result.NodeMemoryGrowth).ToShortString()} more "
            + $"(allowed: {NodeHealth.FilesMore} and {NodeHealth.MemoryMore}; after {NodeHealth.Settled.TotalMinutes:0} minutes {NodeHealth.SettledMemoryMore} more)");
        foreach (var finding in result.Findings) writer.WriteLine($"VIOLATION: {finding}");
        if (result.Directory is { } directory) writer.WriteLine($"logs and journals: {directory}");
        writer.WriteLine(result.Ok
            ? $"ok: seed {result.Seed}, {result.Seconds:0.0} s, nothing lost, every history linearizable, all regions pass their check"
            : $"FAILED: seed {result.Seed}, {result.Lost} lost, {result.Violations} violations");
        writer.Flush();
    }

    private static Table Faults(ChaosResult result, bool color)
    {
        var table = new Table().Border(color ? TableBorder.Rounded : TableBorder.Ascii);
        foreach (var title in new[] { "fault", "injected", "whole again after (median)", "(max)" }) table.AddColumn(title);
        foreach (var (kind, count) in result.Faults)
        {
            if (count == 0 && !result.LinksCut && Fault.IsOfLinks(Enum.Parse<FaultKind>(kind, true))) continue;
            var times = result.RecoveryNs.GetValueOrDefault(kind);
            table.AddRow(Describe(kind), count.ToString(CultureInfo.InvariantCulture), Seconds(times?.Median), Seconds(times?.Max));
        }
        return table;
    }

    private static Table Restarts(ChaosResult result, bool color)
    {
        var table = new Table().Border(color ? TableBorder.Rounded : TableBorder.Ascii);
        foreach (var title in new[] { "ended and started again", "times", "until it had ended (median, max)", "until the pool was whole again", "longest pause of a client" }) table.AddColumn(title);
        foreach (var (kind, times) in result.Restarts)
        {
            table.AddRow(
                kind, times.Count.ToString(CultureInfo.InvariantCulture), $"{Seconds(times.EndedMedianNs)}, {Seconds(times.EndedMaxNs)}",
                $"{Seconds(times.WholeMedianNs)}, {Seconds(times.WholeMaxNs)}", $"{Seconds(times.PauseMedianNs)}, {Seconds(times.PauseMaxNs)}");
        }
        return table;
    }

    private static string Describe(string kind) => kind switch
    {
        "killRack" => "rack daemon killed",
        "stopRack" => "rack daemon stopped",
        "killMaster" => "master killed",
        "killMasters" => "all masters killed at once",
        "stopMaster" => "master stopped",
        "killClient" => "client killed",
        "stopClient" => "client stopped",
        "cutRack" => "rack cut off",
        "deafRack" => "rack that hears nobody",
        "muteRack" => "rack that nobody hears",
        "cutMaster" => "master cut off",
        "deafMaster" => "master that hears nobody",
        "muteMaster" => "master that nobody hears",
        "cutPair" => "two nodes cut from each other",
        _ => kind,
    };

    private static string Seconds(long? nanoseconds) => nanoseconds is { } ns ? string.Create(CultureInfo.InvariantCulture, $"{ns / 1e9:0.0} s") : "";
}
