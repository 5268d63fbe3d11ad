using System.Diagnostics;
using System.Globalization;

namespace Rcmp.Tests.Workers;

/// <summary>A client process as the test sees it. Killed at the end.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private static readonly TimeSpan ReplyTimeout = TimeSpan.FromSeconds(60);

    private readonly Process _process;

    private WorkerProcess(Process process) => _process = process;

    public int Id => _process.Id;

    public RackId Rack { get; private set; }

    public static async Task<WorkerProcess> StartAsync(string configuration, IReadOnlyList<string>? launcher = null)
    {
        string[] command = [.. launcher ?? [], "dotnet"];
        var start = new ProcessStartInfo(command[0]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var argument in (string[])[.. command[1..], typeof(WorkerProcess).Assembly.Location, WorkerProtocol.Switch, configuration]) start.ArgumentList.Add(argument);
        var worker = new WorkerProcess(Process.Start(start)!);
        worker.Rack = new RackId(ushort.Parse(await worker.ReplyAsync("connect"), CultureInfo.InvariantCulture));
        return worker;
    }

    /// <summary>Sends a line and returns the answer behind <c>ok</c>; an <c>error</c> fails the test.</summary>
    public async Task<string> SayAsync(string line)
    {
        await SendAsync(line);
        return await ReplyAsync(line);
    }

    /// <summary>The same; false if the answer is this error.</summary>
    public async Task<bool> TrySayAsync(string line, string error) => await AskAsync(line, error) is not null;

    /// <summary>The answer; null if it is this error.</summary>
    public async Task<string?> AskAsync(string line, string error)
    {
        await SendAsync(line);
        var reply = await ReceiveAsync(line);
        if (reply.StartsWith($"error {error}", StringComparison.Ordinal)) return null;
        return Result(line, reply);
    }

    /// <summary>The error that must come.</summary>
    public async Task<string> RefusedAsync(string line)
    {
        await SendAsync(line);
        var reply = await ReceiveAsync(line);
        Assert.StartsWith("error ", reply);
        return reply;
    }

    public async Task<GAddr> AllocateAsync(int pages) =>
        GAddr.Parse(await SayAsync(string.Create(CultureInfo.InvariantCulture, $"{WorkerProtocol.Allocate} {pages}")));

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGSTOP or SIGCONT.</summary>
    public async Task SuspendAsync(bool suspend)
    {
        using var kill = Process.Start("/bin/sh", ["-c", string.Create(CultureInfo.InvariantCulture, $"kill -{(suspend ? "STOP" : "CONT")} {Id}")]);
        await kill.WaitForExitAsync();
        Assert.Equal(0, kill.ExitCode);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) await KillAsync();
        _process.Dispose();
    }

    private async Task SendAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
    }

    private async Task<string> ReplyAsync(string line) => Result(line, await ReceiveAsync(line));

    private async Task<string> ReceiveAsync(string line) =>
        await _process.StandardOutput.ReadLineAsync().WaitAsync(ReplyTimeout) ?? throw new InvalidOperationException($"the worker ended at '{line}'");

    private static string Result(string line, string reply)
    {
        Assert.True(reply.StartsWith("ok", StringComparison.Ordinal), $"{line}: {reply}");
        return reply.Length > 3 ? reply[3..] : "";
    }
}
