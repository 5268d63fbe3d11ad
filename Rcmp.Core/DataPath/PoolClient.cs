using System.Runtime.CompilerServices;
using Rcmp.Fabric;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;
using Rcmp.Runtime;

namespace Rcmp.DataPath;

/// <summary>A client's view of the pool, over the rack's mapped region, the fabric and the rack's daemon.</summary>
/// <remarks>A rack hit runs in <c>PoolClient.Hits.cs</c> alone, protected by its guard slot. All else enters by <see cref="EnterSlow"/>, so that the mapping outlives it.</remarks>
internal sealed unsafe partial class PoolClient : IMemoryPool
{
    private const int ModeClosed = 1;
    private const int ModeFence = 2;
    private const int ModeRdmaOnly = 4;

    // What a hit loads. The table is an empty one for a client that is closed, needs a fence or uses the fabric alone: the hit loads it after its guard's
    // store anyway, and a flag of its own would be one more load. See Close.
    private readonly ulong* _stackWords;
    private readonly GuardSlot* _guards;
    private nint _hitTable;
    private readonly ulong _hitMask;
    private readonly byte* _frames;
    private readonly ulong _frameCount;
    private readonly int _pageShift;
    private readonly ulong _pageMask;
    private readonly ulong _pageSize;
    private readonly long _frameEnd;

    private readonly PageTableEntry* _table;
    private readonly long _tableMask;
    private readonly byte* _references;
    private readonly AccessCounter* _counters;
    private int _mode;

    private readonly SessionGrant _grant;
    private readonly PageGeometry _geometry;
    private readonly PoolClientOptions _options;
    private readonly ClientView _view;
    private readonly StackSlots _stackSlots = new();
    private readonly SlotPool _slots;
    private readonly IControlPlane _control;
    private readonly MissTable _misses;
    private readonly LinkTable _links;
    private readonly RemoteRequests _requests;
    private readonly PoolWorkers _workers;
    private readonly SlabAllocator _slabs;
    private readonly CancellationTokenSource _closing = new();
    private readonly PoolClientCounters _totals = new();
    // One for the open pool, one per call that is more than a hit: the mapping stays until it is 0.
    private int _holds = 1;
    private readonly TaskCompletionSource _unheld = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _closeStarted;
    private int _pins;
    private PoolClientStatistics _lastStatistics;
    private PoolState _state;

    /// <summary>Over a view that is already mapped and locked. Owns it and <paramref name="control"/>.</summary>
    internal PoolClient(SessionGrant grant, ClientView view, IControlPlane control, IFabric fabric, PoolClientOptions options)
    {
        _grant = grant;
        _geometry = new PageGeometry(grant.PageSize);
        _options = options;
        _view = view;
        _control = control;
        _table = view.Table;
        _tableMask = view.TableMask;
        _frames = view.Frames;
        _references = view.References;
        _counters = view.Counters;
        _frameCount = (ulong)view.FrameCount;
        _pageShift = view.PageShift;
        _pageSize = 1UL << view.PageShift;
        _pageMask = _pageSize - 1;
        _frameEnd = HitWord.FrameEnd(view.FrameCount);
        _mode = (view.UsesFence ? ModeFence : 0) | (options.RdmaOnly ? ModeRdmaOnly : 0);
        _hitMask = (ulong)view.TableMask;
        _hitTable = _mode == 0 ? (nint)view.HitTable : EmptyHitTable.OfWords(view.TableMask + 1);
        _guards = view.Slots;
        _stackWords = _stackSlots.Words;
        _slots = new SlotPool(view, _stackSlots);
        _workers = new PoolWorkers(options.Threads);
        _misses = new MissTable(control, grant.Token, options, _totals);
        _links = new LinkTable(view, grant.Rack, _slots, fabric, control, grant.Token, options, _totals);
        _requests = new RemoteRequests(this, _links, view, options, _totals);
        _slabs = new SlabAllocator(this, _geometry);
        _state = control.State;
        control.StateChanged += OnControlStateChanged;
        Info = new PoolInfo(grant.PoolId, grant.PageSize, grant.Rack, grant.RegionPath);
    }

    /// <summary>Locks the session file, maps the region and is ready. Owns <paramref name="control"/> from now on, unless it throws.</summary>
    /// <exception cref="PoolMismatchException">The mapped region is not the granted one.</exception>
    /// <exception cref="PoolNotConnectedException">The daemon has given the session up meanwhile.</exception>
    public static PoolClient Open(SessionGrant grant, IControlPlane control, IFabric fabric, PoolClientOptions options)
    {
        var view = RegionClientView.Open(grant);
        try
        {
            return new PoolClient(grant, view, control, fabric, options);
        }
        catch
        {
            view.Release();
            throw;
        }
    }

    public PoolInfo Info { get; }

    public PoolState State => IsClosed ? PoolState.Closed : _control.State;

    public event EventHandler<PoolStateChangedEventArgs>? StateChanged;

    public PoolClientStatistics Statistics
    {
        get
        {
            if (!TryEnterSlow())
                return _lastStatistics;
            try
            {
                return _totals.Snapshot(_slots.Hits);
            }
            finally
            {
                ExitSlow();
            }
        }
    }

    public ValueTask DisposeAsync() => new(StartClosing());

    public void Dispose() => StartClosing().GetAwaiter().GetResult();

    /// <summary>Holds the mapping for a call that is more than a rack hit.</summary>
    private void EnterSlow()
    {
        if (!TryEnterSlow())
            throw Closed();
    }

    private bool TryEnterSlow()
    {
        // Count first, check then: whoever closes sets the mode first and waits for the count then, so one sees the other.
        Interlocked.Increment(ref _holds);
        if (!IsClosed)
            return true;
        ExitSlow();
        return false;
    }

    private void ExitSlow()
    {
        if (Interlocked.Decrement(ref _holds) == 0)
            _unheld.TrySetResult();
    }

    internal bool IsClosed => (Volatile.Read(ref _mode) & ModeClosed) != 0;

    internal int PageShift => _pageShift;

    internal (PoolClientOptions Options, MissTable Misses, RemoteRun Run) OperationParts() =>
        (_options, _misses, new RemoteRun(_links, _requests));

    internal void ThrowIfClosed()
    {
        if (IsClosed)
            throw Closed();
    }

    private PoolClosedException Closed() => new($"The pool {_grant.PoolId} has been disposed in this client.");

    /// <summary>Runs once, on a thread of its own: every thread of the thread pool may be waiting in a call of this pool.</summary>
    private void Close()
    {
        var previous = State;
        _lastStatistics = _totals.Snapshot(_slots.Hits);
        Interlocked.Or(ref _mode, ModeClosed);
        // As long as the table it replaces: a hit may have loaded the mask before.
        Volatile.Write(ref _hitTable, EmptyHitTable.OfWords(_tableMask + 1));
        // A hit stores its guard, then loads the table, without a fence between; this barrier on all threads stands for it. After it a thread either
        // has its guard set, and is waited for below, or sees the pool closed and touches nothing but its slot.
        Interlocked.MemoryBarrierProcessWide();
        _closing.Cancel();
        ExitSlow();
        _unheld.Task.Wait();
        // Whoever holds a pin keeps the mapping, but not the one who disposes: it may be the same thread.
        if (Volatile.Read(ref _pins) != 0)
            _disposed.TrySetResult();
        for (var wait = new SpinWait(); Volatile.Read(ref _pins) != 0 || !_slots.IsQuiet;)
            wait.SpinOnce();
        _lastStatistics = _totals.Snapshot(_slots.Hits);
        _links.Dispose();
        _stackSlots.Dispose();
        EndSession();
        _view.Release();
        _workers.Dispose();
        _control.StateChanged -= OnControlStateChanged;
        _control.DisposeAsync().AsTask().Wait();
        if (previous != PoolState.Closed)
            StateChanged?.Invoke(this, new PoolStateChangedEventArgs(previous, PoolState.Closed));
        _disposed.TrySetResult();
    }

    private void EndSession()
    {
        var patience = _options.Timeout < TimeSpan.FromSeconds(2) ? _options.Timeout : TimeSpan.FromSeconds(2);
        try
        {
            _control.AskAsync(new CloseSession(_grant.Token, NewRequestId()), patience, CancellationToken.None).GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is TimeoutException or PoolException or OperationCanceledException)
        {
            // The daemon finds out by the session file's lock, which is given up next.
            _totals.CountUnansweredClose();
        }
    }

    private Task StartClosing()
    {
        lock (_disposed)
        {
            if (!_closeStarted)
            {
                _closeStarted = true;
                new Thread(Close) { IsBackground = true, Name = "rcmp-close" }.Start();
            }
        }

        return _disposed.Task;
    }

    private void OnControlStateChanged(PoolState current)
    {
        var previous = _state;
        _state = current;
        if (previous != current && !IsClosed)
            StateChanged?.Invoke(this, new PoolStateChangedEventArgs(previous, current));
    }

    private static RequestId NewRequestId() => MissTable.NewRequestId();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void CheckRange(GAddr address, long length)
    {
        if (address.Value >> _pageShift == 0)
            throw new ArgumentException(address.IsNull ? "The address is null." : $"The address {address} lies in the null page, which is never allocated.", nameof(address));
        if (length > 0 && address.Value + (ulong)(length - 1) < address.Value)
            throw new ArgumentException($"{length} bytes from {address} pass the end of the address space.", nameof(address));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void CheckWord(GAddr address)
    {
        CheckRange(address, sizeof(ulong));
        if ((address.Value & (sizeof(ulong) - 1)) != 0)
            throw new ArgumentException($"The address {address} is misaligned: an atomic needs a multiple of 8.", nameof(address));
    }
}
