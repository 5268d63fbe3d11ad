using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Chaos;

/// <summary>A run in a process of its own, which may make and cut networks. It ends, and cleans up, when this process does.</summary>
internal static class ChaosProcess
{
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(45);

    public static async Task<ChaosResult> RunAsync(ChaosOptions options, Action<string> say, CancellationToken ct)
    {
        using var process = Start(options);
        try
        {
            var said = RelayAsync(process.StandardError, say);
            var printed = await process.StandardOutput.ReadToEndAsync(ct);
            var lastError = await said;
            await process.WaitForExitAsync(ct);
            if (process.ExitCode == ExitCodes.Done) return JsonSerializer.Deserialize<ChaosResult>(printed, JsonOutput.Options) ?? throw new JsonException("no result");
            throw new CommandException(process.ExitCode is > 0 and < 128 ? process.ExitCode : ExitCodes.CheckFailed, lastError ?? $"the run ended with exit code {process.ExitCode}");
        }
        finally
        {
            await EndAsync(process);
        }
    }

    private static Process Start(ChaosOptions options)
    {
        List<string> arguments = ["chaos", "--inside"];
        void Add(string name, object value) => arguments.AddRange([name, string.Format(CultureInfo.InvariantCulture, "{0}", value)]);
        Add("--duration", options.Duration);
        Add("--seed", options.Seed);
        Add("--masters", options.Masters);
        Add("--racks", options.Racks);
        Add("--clients", options.Clients);
        Add("--timing-profile", options.TimingProfile);
        if (options.Keep) arguments.Add("--keep");
        var inside = LinkNamespace.Enter(SelfLauncher.Describe(arguments));
        // A session of its own: a terminal's Ctrl-C is for the program that a person started, which then ends this one in order.
        var start = new ProcessStartInfo("setsid") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (IEnumerable<string>)[inside.FileName, .. inside.ArgumentList]) start.ArgumentList.Add(argument);
        return Process.Start(start) ?? throw CommandException.Missing("a process could not be started");
    }

    /// <summary>The last error that it told, which is said once, by this process.</summary>
    private static async Task<string?> RelayAsync(StreamReader from, Action<string> say)
    {
        const string Mark = "error: ";
        string? error = null;
        while (await from.ReadLineAsync() is { } line)
        {
            if (line.StartsWith(Mark, StringComparison.Ordinal)) error = line[Mark.Length..];
            else say(line);
        }
        return error;
    }

    private static async Task EndAsync(Process process)
    {
        try
        {
            process.StandardInput.Close();
            await process.WaitForExitAsync().WaitAsync(EndTimeout);
        }
        catch (Exception e) when (e is TimeoutException or IOException)
        {
            // What it started sees its end as the end of its input, and goes too.
            process.Kill();
            await process.WaitForExitAsync();
        }
    }
}
