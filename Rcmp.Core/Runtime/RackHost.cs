using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Runtime;

/// <summary>A rack daemon without its transport: region, fabric server, sessions and the rack's state machine. It lives as long as the
/// process; actor systems come and go around it (<see cref="Attach"/>). All members are thread-safe.</summary>
/// <remarks>Messages and events are queued, and whoever finds the machine idle carries out all of them: in order, one thread at a time,
/// without a thread of its own in the way of a message.</remarks>
internal sealed partial class RackHost : IDisposable
{
    /// <summary>How long a start waits for operations on references of the previous start; what is still under way then is left to the owners.</summary>
    private const long ReattachBudgetNs = 100_000_000;

    private const long SleepMaxNs = 100_000_000;
    private const long TogetherNs = 60_000_000;

    /// <summary>How long a thread that brings a message handles what others have brought.</summary>
    private const long TurnNs = 1_000_000;

    private readonly RackHostOptions _options;
    private readonly ILogger _log;
    private readonly Region _region;
    private readonly RegionStore _store;
    private readonly GuardTable _guards;
    private readonly SessionTable _sessions;
    private readonly IFabricServer _server;
    private readonly QuiesceWorker _quiesce;
    private readonly PullWorker _pulls;
    private readonly FenceWorker _fences;
    private readonly RackEffects _effects;
    private readonly RackCore _core;
    private readonly ConcurrentQueue<object> _inbox = [];
    private readonly Thread _timer;
    // Never disposed: a thread that leaves the machine may set it when all else has ended.
    private readonly AutoResetEvent _timerWake = new(false);
    private int _queued;
    private int _tickQueued;
    private int _leftToTimer;
    private int _owner;
    private long _nextDeadlineNs = long.MaxValue;
    private long _timerSleepsUntilNs = long.MaxValue;
    private volatile bool _stopping;
    private volatile IRackTransport? _transport;
    private volatile string? _fatal;

    private RackHost(RackHostOptions options, IFabric fabric, ILogger log)
    {
        _options = options;
        _log = log;
        _region = Region.OpenDaemon(options.RegionPath, new RegionExpectations(options.PoolId, options.PageSize));
        try
        {
            if (options.LockMemory) _region.LockMemory();
            _guards = new GuardTable(_region);
            _sessions = new SessionTable(_region, _guards, options.RuntimeDirectory);
            AdoptSessions();
            _store = new RegionStore(_region);
            RefuseIfRemoved(_store.State);
            var found = _store.Reattach(_guards, ReattachBudgetNs);
            Key = new Guid(RandomNumberGenerator.GetBytes(16));
            _server = fabric.Expose(_region, new FabricServerOptions(
                options.FabricAddress, Key, new RackIncarnation(_store.State.Rack, _store.State.Generation), options.ServiceThreads,
                (long)options.FabricSpin.TotalNanoseconds, options.MaxConnections));
            _quiesce = new QuiesceWorker(_guards, Post);
            _pulls = new PullWorker(_region, fabric, options.FabricConnectTimeout, options.FabricTimeout, Post);
            _fences = new FenceWorker(Post);
            _effects = new RackEffects(this, _guards, _server, _quiesce, _pulls, _fences, log);
            _core = new RackCore(_store, options.Core, RandomWord);
            _core.Start(NowNs, _effects);
            if (_fatal is { } why) throw new RegionDamagedException($"{options.RegionPath}: {why}");
            Enqueue(new FabricExposed(Key, _server.Address));
            foreach (var (link, connections) in found.Connections) Enqueue(new ConnectionsOrphaned(link.Number, connections));
            if (found.Contradicted > 0) RackLog.EntriesContradicted(log, options.RegionPath, found.Contradicted);
            RackLog.Attached(log, options.RegionPath, _store.State.Generation.Value, found.Resident, found.Leaving + found.Incoming, _server.Address);
        }
        catch
        {
            DisposeParts();
            throw;
        }

        _timer = new Thread(RunTimer) { IsBackground = true, Name = "rcmp-rack-timer" };
        _timer.Start();
    }

    /// <summary>The fabric's key of this start.</summary>
    public Guid Key { get; }

    public RackId Rack => _store.State.Rack;

    public Generation Generation => _store.State.Generation;

    public string FabricAddress => _server.Address;

    public RegionLayout Layout => _region.Layout;

    public IRackTransport? Transport => _transport;

    /// <summary>Attaches the region and starts to serve it.</summary>
    /// <exception cref="RegionBusyException">Another daemon has it.</exception>
    /// <exception cref="RegionDamagedException">It is not a region, or damaged.</exception>
    /// <exception cref="PoolMismatchException">It is of another pool or page size, or was removed from the pool.</exception>
    public static RackHost Start(RackHostOptions options, IFabric fabric, ILogger log) => new(options, fabric, log);

    /// <summary>Gives the host a way to reach the others, and has it register with the master. Replaces an earlier one.</summary>
    public void Attach(IRackTransport transport)
    {
        _transport = transport;
        // What broke while nobody could be told.
        if (_fatal is { } why) transport.Fatal(why);
        Enqueue(new NodeJoined(transport.NodeAddress));
    }

    /// <summary>Messages are dropped from now on: the control plane is away. Region, sessions and fabric go on.</summary>
    public void Detach(IRackTransport transport) => Interlocked.CompareExchange(ref _transport, null, transport);

    /// <summary>A message from the network.</summary>
    public void Deliver(IPoolProtocol message) => Enqueue(message);

    /// <summary>An event from one of the host's own workers.</summary>
    public void Post(IRackEvent e) => Enqueue(e);

    public void Fatal(string message)
    {
        _fatal ??= message;
        RackLog.Fatal(_log, message);
        _transport?.Fatal(message);
    }

    /// <summary>Stops serving. The region stays as it is: the next daemon finds everything.</summary>
    public void Dispose()
    {
        if (_stopping) return;
        _stopping = true;
        _timerWake.Set();
        _timer.Join();
        TakeForGood();
        DisposeParts();
    }

    /// <summary>The machine, from whoever has it: the region is unmapped next. What has come before is done first, since somebody may wait for it.</summary>
    private void TakeForGood()
    {
        while (_owner != Environment.CurrentManagedThreadId && Interlocked.CompareExchange(ref _queued, 1, 0) != 0 && Interlocked.Exchange(ref _leftToTimer, 0) == 0)
            Thread.Yield();
        while (_inbox.TryDequeue(out var next)) Handle(next);
    }

    /// <summary>Nobody in the pool would speak with it, and its clients would take pages for existing that are gone.</summary>
    private void RefuseIfRemoved(SuperblockState state)
    {
        if (state.Roster.Any(entry => entry.Rack == state.Rack && entry.Forgotten))
            throw new PoolMismatchException($"{_options.RegionPath}: rack {state.Rack} was removed from the pool (drained or forgotten). Recreate its region to join as a new one: rcmp region create --force.");
    }

    private void DisposeParts()
    {
        // The region last: everything else writes to it. What is to be fenced is fenced at the server.
        _fences?.Dispose();
        _server?.Dispose();
        _quiesce?.Dispose();
        _pulls?.Dispose();
        _sessions?.RemoveDirectoryIfUnused();
        _region.Dispose();
    }

    private static ulong RandomWord() => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));

    private static long NowNs => (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));

    private void Enqueue(object item)
    {
        if (_stopping) return;
        _inbox.Enqueue(item);
        if (Interlocked.Increment(ref _queued) == 1 && !HandleQueued()) LeaveToTimer();
    }

    /// <summary>By the one thread whose machine it is. False if others kept it busy for so long that the caller should go back to its own work; the machine is still its own.</summary>
    private bool HandleQueued()
    {
        var startNs = 0L;
        while (true)
        {
            _owner = Environment.CurrentManagedThreadId;
            if (_inbox.TryDequeue(out var next)) Handle(next);
            PublishDeadline();
            _owner = 0;
            if (Interlocked.Decrement(ref _queued) == 0) return true;
            var now = NowNs;
            if (startNs == 0) startNs = now;
            else if (now - startNs > TurnNs) return false;
        }
    }

    /// <summary>The machine, with what is queued. A thread of the network that went on with a long allocation's steps would leave unread what others send meanwhile.</summary>
    private void LeaveToTimer()
    {
        Volatile.Write(ref _leftToTimer, 1);
        _timerWake.Set();
    }

    /// <summary>While the machine is still this thread's: to look for the next deadline tidies the queue of deadlines, and a later thread's must not be overwritten.</summary>
    private void PublishDeadline()
    {
        var next = _core.NextDeadlineNs;
        Interlocked.Exchange(ref _nextDeadlineNs, next);
        // Only if the timer would sleep past it: to wake a thread for each message costs more than the message.
        if (next < Interlocked.Read(ref _timerSleepsUntilNs)) _timerWake.Set();
    }

    private void Handle(object item)
    {
        try
        {
            switch (item)
            {
                case Action work: work(); break;
                case ISessionRequest request when !IsKnown(request.Session): RefuseUnknown(request); break;
                case IPoolProtocol message: _core.Handle(message, NowNs, _effects); break;
                case Tick tick:
                    Volatile.Write(ref _tickQueued, 0);
                    _core.Handle(tick, NowNs, _effects);
                    break;
                case IRackEvent happened: _core.Handle(happened, NowNs, _effects); break;
            }
        }
        catch (Exception e)
        {
            // A half-applied step of the state machine: what it would do next cannot be trusted.
            RackLog.HandlerFailed(_log, item.GetType().Name, e);
            Fatal($"The rack failed to handle {item.GetType().Name}: {e.Message}");
        }
    }

    private void RunTimer()
    {
        var sample = new SampleClock(_options.SampleInterval, _region, _server);
        var nextSessionPollNs = NowNs;
        while (!_stopping)
        {
            if (Interlocked.Exchange(ref _leftToTimer, 0) == 1 && !HandleQueued()) LeaveToTimer();
            var now = NowNs;
            // One at a time: while the machine is busy with a long step they would pile up, and everybody else wait behind them.
            if (now >= Interlocked.Read(ref _nextDeadlineNs) && Interlocked.Exchange(ref _tickQueued, 1) == 0) Enqueue(new Tick());
            if (sample.IsDue(now)) Enqueue(new SampleHeat());
            if (now >= nextSessionPollNs)
            {
                nextSessionPollNs = now + (long)_options.SessionPoll.TotalNanoseconds;
                // An idle daemon wakes up for both together, for this one a little earlier.
                if (nextSessionPollNs - sample.NextNs is > 0 and <= TogetherNs) nextSessionPollNs = sample.NextNs;
                PollSessions();
            }

            var wakeNs = Math.Min(Math.Min(sample.NextNs, nextSessionPollNs), now + SleepMaxNs);
            // Say first, look then: whoever sets a nearer deadline looks at this after setting it, so one sees the other.
            Interlocked.Exchange(ref _timerSleepsUntilNs, wakeNs);
            wakeNs = Math.Min(wakeNs, Interlocked.Read(ref _nextDeadlineNs));
            Interlocked.Exchange(ref _timerSleepsUntilNs, wakeNs);
            _timerWake.WaitOne(TimeSpan.FromMilliseconds(Math.Clamp((wakeNs - NowNs) / 1e6, 1, SleepMaxNs / 1e6)));
        }
    }
}
