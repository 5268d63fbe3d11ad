using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Clients;

/// <summary>A client of the pool in a process of its own, from outside. It ends when this is disposed, or when this process ends.</summary>
internal sealed class ClientProcess : IAsyncDisposable
{
    private const int ErrorLinesKept = 20;
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(3);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _errors = new();

    private ClientProcess(Process process)
    {
        _process = process;
        process.ErrorDataReceived += (sender, e) =>
        {
            if (e.Data is null) return;
            _errors.Enqueue(e.Data);
            if (_errors.Count > ErrorLinesKept) _errors.TryDequeue(out _);
        };
        process.BeginErrorReadLine();
    }

    /// <summary>The rack that it is in.</summary>
    public RackId Rack { get; private set; }

    public int PageSize { get; private set; }

    public int ProcessId => _process.Id;

    /// <summary>Connected when it returns.</summary>
    public static async Task<ClientProcess> StartAsync(string configuration, CancellationToken ct, IReadOnlyList<string>? launcher = null)
    {
        var self = SelfLauncher.Describe(["client-process", "--config", configuration]);
        // A session of its own: a terminal's Ctrl-C is for the program that a person started, which then ends this one in order.
        var start = new ProcessStartInfo("setsid") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (IEnumerable<string>)[.. launcher ?? [], self.FileName, .. self.ArgumentList]) start.ArgumentList.Add(argument);
        var client = new ClientProcess(Process.Start(start) ?? throw CommandException.Missing("a process could not be started"));
        try
        {
            var ready = await client.ReadAsync(ct);
            (client.Rack, client.PageSize) = (new RackId((ushort)ready.Rack), ready.PageSize);
            return client;
        }
        catch
        {
            await client.DisposeAsync();
            throw;
        }
    }

    /// <summary>One request at a time; <paramref name="progress"/> hears of what is under way.</summary>
    public async Task<ClientReply> AskAsync(ClientRequest request, Action<ClientReply>? progress, CancellationToken ct)
    {
        await _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(request, JsonOutput.Options).AsMemory(), ct);
        await _process.StandardInput.FlushAsync(ct);
        while (true)
        {
            var reply = await ReadAsync(ct);
            if (reply.Kind != ClientReply.Progress) return reply;
            progress?.Invoke(reply);
        }
    }

    /// <summary>SIGKILL.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Whether it ends within a time.</summary>
    public async Task<bool> EndedAsync(TimeSpan patience)
    {
        try
        {
            await _process.WaitForExitAsync().WaitAsync(patience);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async Task<ClientReply> ReadAsync(CancellationToken ct)
    {
        if (await _process.StandardOutput.ReadLineAsync(ct) is { } line)
        {
            var reply = JsonSerializer.Deserialize<ClientReply>(line, JsonOutput.Options) ?? throw new JsonException("an empty reply");
            return reply.Kind == ClientReply.Failed ? throw new CommandException(reply.ExitCode, $"client: {reply.Error}") : reply;
        }
        await _process.WaitForExitAsync(ct);
        const string Mark = "error: ";
        var reason = _errors.LastOrDefault(l => l.StartsWith(Mark, StringComparison.Ordinal))?[Mark.Length..] ?? _errors.LastOrDefault();
        var exitCode = _process.ExitCode is > 0 and < 128 ? _process.ExitCode : ExitCodes.Unreachable;
        throw new CommandException(exitCode, $"client: {reason ?? $"ended with exit code {_process.ExitCode}"}");
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            _process.StandardInput.Close();
            await _process.WaitForExitAsync().WaitAsync(EndTimeout);
        }
        catch (Exception e) when (e is TimeoutException or IOException)
        {
            // The pipe may be broken because the process is gone, which is what is wanted; one that hangs is ended.
            _process.Kill();
            await _process.WaitForExitAsync();
        }
        _process.Dispose();
    }
}
