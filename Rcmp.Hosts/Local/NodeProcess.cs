using System.Diagnostics;
using System.Globalization;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Local;

/// <summary>The process of one node of a local cluster: started here, or found by its process file.</summary>
internal sealed class NodeProcess(string directory, ManifestNode node, IReadOnlyList<string> launcher)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan KillWait = TimeSpan.FromSeconds(10);

    private Process? _child;

    public ManifestNode Node { get; } = node;

    public string Name => Node.Name;

    public string LogPath => ClusterFiles.LogOf(directory, Name);

    private string ProcessFile => ClusterFiles.ProcessFileOf(directory, Name);

    private string ReadyFile => ClusterFiles.ReadyFileOf(directory, Name);

    /// <summary>The process, if it runs. A file that names an ended process, or one that is another program now, counts as none.</summary>
    public ProcessIdentity? Running => ProcessIdentity.Read(ProcessFile) is { IsAlive: true } identity ? identity : null;

    /// <summary>The number that the pool gave the rack, once it is ready.</summary>
    public RackId Rack => File.Exists(ReadyFile) && ushort.TryParse(File.ReadAllText(ReadyFile), out var id) ? new RackId(id) : RackId.None;

    public void Start(bool detached)
    {
        File.Delete(ReadyFile);
        List<string> arguments =
            [Node.Role, "--config", ClusterFiles.ConfigurationOf(directory, Name), "--ready-file", ReadyFile];
        if (!detached) arguments.Add("--until-input-ends");
        _child = SelfLauncher.StartLogged(arguments, LogPath, detached, launcher, NodeEnvironment);
        // Gone already if it failed at once: the wait for readiness finds out why.
        if (ProcessIdentity.Of(_child.Id) is { } identity) File.WriteAllText(ProcessFile, identity.ToString());
    }

    // The control plane is not the hot path: quick start matters more than the last tier of its code.
    private static Dictionary<string, string> NodeEnvironment => new() { ["DOTNET_TieredPGO"] = "0" };

    /// <summary>Until the node serves.</summary>
    public async Task WaitReadyAsync(TimeSpan timeout, CancellationToken ct)
    {
        var deadline = Stopwatch.GetTimestamp() + (long)(timeout.TotalSeconds * Stopwatch.Frequency);
        while (!File.Exists(ReadyFile))
        {
            if (Running is null) throw Failed();
            if (Stopwatch.GetTimestamp() > deadline)
                throw CommandException.Unreachable($"{Name} was not ready after {timeout.TotalSeconds:0} s; its log is {LogPath}");
            await Task.Delay(PollInterval, ct);
        }
    }

    /// <summary>SIGTERM, and SIGKILL if that does not help in time: then it returns false.</summary>
    public async Task<bool> StopAsync(TimeSpan timeout)
    {
        var inTime = true;
        if (Running is { } identity)
        {
            await SignalAsync(identity, "TERM");
            inTime = await EndsWithinAsync(identity, timeout);
            if (!inTime) await KillAsync();
        }
        Forget();
        return inTime;
    }

    /// <summary>SIGKILL: nothing of the node gets a chance to clean up.</summary>
    public async Task KillAsync()
    {
        if (Running is { } identity)
        {
            await SignalAsync(identity, "KILL");
            if (!await EndsWithinAsync(identity, KillWait)) throw CommandException.Missing($"{Name} (process {identity.Id}) cannot be ended");
        }
        Forget();
    }

    /// <summary>SIGSTOP and SIGCONT.</summary>
    public async Task SuspendAsync(bool suspend)
    {
        if (Running is { } identity) await SignalAsync(identity, suspend ? "STOP" : "CONT");
    }

    private static async Task<bool> EndsWithinAsync(ProcessIdentity identity, TimeSpan timeout)
    {
        var started = Stopwatch.GetTimestamp();
        while (identity.IsAlive)
        {
            if (Stopwatch.GetElapsedTime(started) > timeout) return false;
            await Task.Delay(PollInterval);
        }
        return true;
    }

    /// <summary>Sends a signal by its name without SIG.</summary>
    public static async Task SignalAsync(ProcessIdentity identity, string signal)
    {
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardError = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(string.Create(CultureInfo.InvariantCulture, $"kill -{signal} {identity.Id}"));
        using var kill = Process.Start(start) ?? throw CommandException.Missing("/bin/sh could not be started");
        await kill.WaitForExitAsync();
        if (kill.ExitCode != 0 && identity.IsAlive)
            throw CommandException.Missing($"process {identity.Id} may not be signalled by this user: run the command as the user that started the cluster");
    }

    private void Forget()
    {
        _child?.Dispose();
        _child = null;
        File.Delete(ProcessFile);
        File.Delete(ReadyFile);
    }

    private CommandException Failed()
    {
        const string Mark = "error: ";
        var exitCode = _child is { HasExited: true } child && child.ExitCode is > 0 and < 128 ? child.ExitCode : ExitCodes.Unreachable;
        var reason = File.Exists(LogPath) ? File.ReadLines(LogPath).LastOrDefault(l => l.StartsWith(Mark, StringComparison.Ordinal))?[Mark.Length..] : null;
        return new CommandException(exitCode, $"{Name} did not start: {reason ?? "it ended without a reason"} (log: {LogPath})");
    }
}
