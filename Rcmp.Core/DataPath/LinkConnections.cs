using System.Diagnostics;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>The open connections of this client over one link. A thread takes one, uses it alone and gives it back.</summary>
internal sealed class LinkConnections(LinkRecord link, int linkSlot, IFabric fabric, SlotPool slots, PoolClientOptions options) : IDisposable
{
    private const int IdleSlots = 2;

    // A rack that does not answer costs one thread at a time its patience, with a rest as long after each attempt, but for a second at most: then it may have come back. The client's
    // own few threads serve all racks. A connection takes some hundred microseconds to open; one that takes longer than this may be to such a rack.
    private static readonly TimeSpan QuickOpen = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan RetryPauseMin = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan RetryPauseMax = TimeSpan.FromSeconds(1);

    private readonly object _monitor = new();
    private readonly Stack<ClientConnection> _idle = new();
    private int _open;
    private int _waiting;
    private int _opening;
    private long _openingSince;
    private TimeSpan _retryPause;
    private long _failedAt;
    private bool _closed;

    public LinkRecord Link => link;

    /// <summary>What kept the last connection from being opened.</summary>
    public string? LastError { get; private set; }

    /// <summary>An idle connection, or a new one. Null if none can be had; with a wait, after that.</summary>
    /// <param name="wait">How long to wait for another thread's.</param>
    /// <param name="patience">How long opening one may take, or rcmp.fabric.connect-timeout if that is less.</param>
    /// <param name="hasFailed">This thread has tried to open one.</param>
    public ClientConnection? Take(TimeSpan wait, TimeSpan patience, out bool hasFailed)
    {
        long started = 0;
        hasFailed = false;
        lock (_monitor)
        {
            while (true)
            {
                if (_closed)
                    return null;
                while (_idle.TryPop(out var idle))
                {
                    if (idle.Fabric.IsUsable)
                        return idle;
                    _open--;
                    idle.Dispose();
                }

                // A try that hardly gets any time would say nothing of the rack.
                if (patience < QuickOpen && patience < options.Timeout / 2)
                    return null;
                var isSilent = IsSilent;
                if (_open < options.ConnectionsPerLink && !isSilent)
                    break;
                // Only those that work are given back.
                if (isSilent && _open == _opening)
                    return null;
                started = started != 0 ? started : Stopwatch.GetTimestamp();
                var left = wait - Stopwatch.GetElapsedTime(started);
                if (left <= TimeSpan.Zero || !Await(left))
                    return null;
            }

            if (_opening == 0)
                _openingSince = Stopwatch.GetTimestamp();
            _opening++;
            _open++;
        }

        ClientConnection? opened = null;
        var began = Stopwatch.GetTimestamp();
        try
        {
            return opened = Open(patience < options.ConnectTimeout ? patience : options.ConnectTimeout);
        }
        finally
        {
            lock (_monitor)
                _opening--;
            if (opened is null)
            {
                hasFailed = true;
                Rest(Stopwatch.GetElapsedTime(began));
                Forget();
            }
        }
    }

    /// <summary>One that is not broken, with nothing in flight.</summary>
    public void Return(ClientConnection connection)
    {
        connection.TrimSlots(IdleSlots);
        lock (_monitor)
        {
            if (!_closed)
            {
                _idle.Push(connection);
                Wake();
                return;
            }
        }

        connection.Dispose();
        Forget();
    }

    /// <summary>An operation got no answer in time: the next connection is opened by one thread alone.</summary>
    public void DoesNotAnswer(string why)
    {
        LastError = $"rack {link.Id.Owner.Rack} at {link.Address}: {why}";
        Rest(TimeSpan.Zero);
    }

    /// <summary>One that was taken is gone.</summary>
    public void Forget()
    {
        lock (_monitor)
        {
            _open--;
            Wake();
        }
    }

    private void Rest(TimeSpan time)
    {
        lock (_monitor)
        {
            _failedAt = Stopwatch.GetTimestamp();
            _retryPause = time < RetryPauseMin ? RetryPauseMin : time > RetryPauseMax ? RetryPauseMax : time;
        }
    }

    private bool IsSilent => LastError is not null
        ? _opening > 0 || Stopwatch.GetElapsedTime(_failedAt) < _retryPause
        : _opening > 0 && Stopwatch.GetElapsedTime(_openingSince) > QuickOpen;

    private bool Await(TimeSpan left)
    {
        _waiting++;
        try
        {
            return Monitor.Wait(_monitor, left);
        }
        finally
        {
            _waiting--;
        }
    }

    private void Wake()
    {
        if (_waiting > 0)
            Monitor.Pulse(_monitor);
    }

    public void Dispose()
    {
        lock (_monitor)
        {
            _closed = true;
            foreach (var connection in _idle)
                connection.Dispose();
            _idle.Clear();
            Monitor.PulseAll(_monitor);
        }
    }

    private ClientConnection? Open(TimeSpan timeout)
    {
        var name = ConnectionName.Make(link.Number);
        var status = fabric.TryConnect(link, name, ConnectionRole.Client, timeout, out var connection, out var error);
        if (status == FabricConnectStatus.Ok && connection is not null)
        {
            LastError = null;
            return new ClientConnection(link, linkSlot, name, connection, slots);
        }

        LastError = $"rack {link.Id.Owner.Rack} at {link.Address}: {error ?? status.ToString()}";
        return null;
    }
}
