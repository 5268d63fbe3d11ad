using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Clients;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Chaos;

/// <summary>One client of a run, from outside: a process that is killed now and then, and started again with the same journal.</summary>
internal sealed class ChaosClient(string configuration, IReadOnlyList<string> launcher, ChaosAssignment assignment, Action<string> violation) : IAsyncDisposable
{
    private static readonly TimeSpan StartRetry = TimeSpan.FromMilliseconds(300);

    private ClientProcess? _process;
    private Task _work = Task.CompletedTask;
    private int _starts;
    private volatile bool _killed;

    public string Name { get; } = $"client{assignment.Client}";

    /// <summary>The process, if there is one now.</summary>
    public ProcessIdentity? Running => _process is { } process ? ProcessIdentity.Of(process.ProcessId) : null;

    public ChaosJournal Journal { get; } = new(assignment.Journal);

    /// <summary>While its rack's daemon is away it cannot connect, and tries again.</summary>
    public async Task StartAsync(CancellationToken ct)
    {
        while (true)
        {
            try
            {
                _process = await ClientProcess.StartAsync(configuration, ct, launcher);
                break;
            }
            catch (CommandException e) when (e.ExitCode == ExitCodes.Unreachable)
            {
                await Task.Delay(StartRetry, ct);
            }
        }
        _killed = false;
        _work = WorkAsync(_process, ct);
    }

    public async Task KillAsync()
    {
        _killed = true;
        _process!.Kill();
        await _work;
        await _process.DisposeAsync();
        _process = null;
    }

    /// <summary>SIGTERM: the process ends in order, in the middle of its work. False if it had to be killed.</summary>
    public async Task<bool> EndAsync(TimeSpan patience)
    {
        _killed = true;
        var ended = _process!.EndedAsync(patience);
        if (Running is { } identity) await NodeProcess.SignalAsync(identity, "TERM");
        var inTime = await ended;
        if (!inTime) _process.Kill();
        await _work;
        await _process.DisposeAsync();
        _process = null;
        return inTime;
    }

    public async Task SuspendAsync(bool suspend)
    {
        if (ProcessIdentity.Of(_process!.ProcessId) is { } identity) await NodeProcess.SignalAsync(identity, suspend ? "STOP" : "CONT");
    }

    /// <summary>Has it finish what it does, and end.</summary>
    public async Task StopAsync(TimeSpan patience)
    {
        Journal.StopRequested = true;
        try
        {
            await _work.WaitAsync(patience);
        }
        catch (TimeoutException)
        {
            violation($"client {assignment.Client} did not come to an end within {patience.TotalSeconds:0} s");
        }
    }

    public async ValueTask DisposeAsync()
    {
        _killed = true;
        if (_process is not null) await _process.DisposeAsync();
        Journal.Dispose();
    }

    private async Task WorkAsync(ClientProcess process, CancellationToken ct)
    {
        try
        {
            var request = new ClientRequest { Kind = ClientRequest.Chaos, Assignment = assignment with { Seed = assignment.Seed + (ulong)_starts, Start = _starts++ } };
            await process.AskAsync(request, null, ct);
        }
        catch (Exception e) when (_killed || ct.IsCancellationRequested)
        {
            // Its end is what was asked for; anything else would be no different.
            _ = e;
        }
        catch (Exception e)
        {
            violation($"client {assignment.Client} ended by itself: {Failures.OneLine(e)}");
        }
    }
}
